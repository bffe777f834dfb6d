// Invariants; their Chinese sentences are in messages.zh.json.

Invariant: fd-id-checksum
Description: "18-digit ID number with a valid date part and ISO 7064 mod 11-2 check digit"
Severity: #error
Expression: "identifier.where(system='urn:oid:2.16.156.10011.1.3').value.all(matches('^[1-9][0-9]{5}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]$') and '10X98765432'.substring(($this.substring(0,1).toInteger() * 7 + $this.substring(1,1).toInteger() * 9 + $this.substring(2,1).toInteger() * 10 + $this.substring(3,1).toInteger() * 5 + $this.substring(4,1).toInteger() * 8 + $this.substring(5,1).toInteger() * 4 + $this.substring(6,1).toInteger() * 2 + $this.substring(7,1).toInteger() * 1 + $this.substring(8,1).toInteger() * 6 + $this.substring(9,1).toInteger() * 3 + $this.substring(10,1).toInteger() * 7 + $this.substring(11,1).toInteger() * 9 + $this.substring(12,1).toInteger() * 10 + $this.substring(13,1).toInteger() * 5 + $this.substring(14,1).toInteger() * 8 + $this.substring(15,1).toInteger() * 4 + $this.substring(16,1).toInteger() * 2) mod 11, 1) = $this.substring(17,1))"

Invariant: fd-id-birthdate
Description: "birthDate equals digits 7-14 of the ID number"
Severity: #error
Expression: "birthDate.empty() or identifier.where(system='urn:oid:2.16.156.10011.1.3').value.all(substring(6,4)+'-'+substring(10,2)+'-'+substring(12,2) = %resource.birthDate.toString())"

Invariant: fd-id-gender
Description: "17th digit odd means male, even means female"
Severity: #warning
Expression: "gender.empty() or identifier.where(system='urn:oid:2.16.156.10011.1.3').value.all((substring(16,1).toInteger() mod 2 = 1 and %resource.gender = 'male') or (substring(16,1).toInteger() mod 2 = 0 and %resource.gender = 'female') or (%resource.gender in ('other' | 'unknown')))"

Invariant: fd-elderly
Description: "65 or older carries key-population elderly-65"
Severity: #warning
Expression: "(birthDate.exists() and birthDate <= today() - 65 years) implies extension.where(url='http://jtys.example/fhir/StructureDefinition/key-population').value.coding.where(code='elderly-65').exists()"

Invariant: fd-child
Description: "younger than 7 carries key-population children-0-6"
Severity: #warning
Expression: "(birthDate.exists() and birthDate > today() - 7 years) implies extension.where(url='http://jtys.example/fhir/StructureDefinition/key-population').value.coding.where(code='children-0-6').exists()"

Invariant: fd-name-text
Description: "every name has the full Chinese name as text"
Severity: #error
Expression: "name.all(text.exists())"

Invariant: ct-1
Description: "at least one family doctor and one nurse (categories family-doctor-team and private-doctor)"
Severity: #error
Expression: "participant.where(role.coding.where(code='family-doctor').exists()).exists() and participant.where(role.coding.where(code='nurse').exists()).exists()"

Invariant: ct-2
Description: "exactly one leader, who is a family doctor (categories family-doctor-team and private-doctor)"
Severity: #error
Expression: "participant.where(extension.where(url='http://jtys.example/fhir/StructureDefinition/team-leader').value = true).count() = 1 and participant.where(extension.where(url='http://jtys.example/fhir/StructureDefinition/team-leader').value = true).all(role.coding.where(code='family-doctor').exists())"

Invariant: ct-3
Description: "a private-doctor team has six distinct tiers"
Severity: #error
Expression: "category.coding.where(code='private-doctor').exists() implies participant.extension.where(url='http://jtys.example/fhir/StructureDefinition/tier-level').value.distinct().count() = 6"

Invariant: ct-4
Description: "1+3+N: one specialist and a core of at least three"
Severity: #error
Expression: "extension.where(url='http://jtys.example/fhir/StructureDefinition/team-model').value.coding.where(code='1+3+N').exists() implies (participant.where(role.coding.where(code='specialist').exists()).count() = 1 and participant.where(role.coding.where(code='family-doctor' or code='nurse' or code='public-health').exists()).count() >= 3)"

Invariant: fdc-1
Description: "contract end is after its start"
Severity: #error
Expression: "period.start.exists() and period.end.exists() and period.end > period.start"

Invariant: fdc-2
Description: "contract term is 1 to 5 years"
Severity: #error
Expression: "period.end >= period.start + 1 year - 1 day and period.end <= period.start + 5 years"

Invariant: fdc-3
Description: "an active contract has team, consent and signing date"
Severity: #error
Expression: "status = 'active' implies (team.exists() and extension.where(url='http://jtys.example/fhir/StructureDefinition/resident-consent').exists() and extension.where(url='http://jtys.example/fhir/StructureDefinition/signed-on').exists())"

Invariant: fdc-4
Description: "a finished or cancelled contract has a termination reason"
Severity: #error
Expression: "(status = 'finished' or status = 'cancelled') implies extension.where(url='http://jtys.example/fhir/StructureDefinition/termination').extension.where(url='reason').exists()"

Invariant: fdc-5
Description: "a 1+1+1 contract names exactly one secondary and one tertiary hospital"
Severity: #error
Expression: "extension.where(url='http://jtys.example/fhir/StructureDefinition/contract-type').value.coding.where(code='1+1+1').exists() implies (extension.where(url='http://jtys.example/fhir/StructureDefinition/partner-hospital').extension.where(url='level' and value='secondary').count() = 1 and extension.where(url='http://jtys.example/fhir/StructureDefinition/partner-hospital').extension.where(url='level' and value='tertiary').count() = 1)"

Invariant: fdc-6
Description: "fee total equals the sum of its funding (tolerance 0.005)"
Severity: #warning
Expression: "extension.where(url='http://jtys.example/fhir/StructureDefinition/fee').all((extension.where(url='total').value.ofType(Money).value - extension.where(url='funding').extension.where(url='amount').value.ofType(Money).value.aggregate($this + $total, 0)).abs() < 0.005)"

Invariant: bp-1
Description: "systolic is above diastolic when both are present"
Severity: #error
Expression: "(component.where(code.coding.where(system='http://loinc.org' and code='8480-6').exists()).value.ofType(Quantity).value.exists() and component.where(code.coding.where(system='http://loinc.org' and code='8462-4').exists()).value.ofType(Quantity).value.exists()) implies component.where(code.coding.where(system='http://loinc.org' and code='8480-6').exists()).value.ofType(Quantity).value > component.where(code.coding.where(system='http://loinc.org' and code='8462-4').exists()).value.ofType(Quantity).value"

Invariant: bp-2
Description: "systolic 50-300 and diastolic 20-200 mm[Hg]"
Severity: #error
Expression: "component.where(code.coding.where(system='http://loinc.org' and code='8480-6').exists()).value.ofType(Quantity).value.all($this >= 50 and $this <= 300) and component.where(code.coding.where(system='http://loinc.org' and code='8462-4').exists()).value.ofType(Quantity).value.all($this >= 20 and $this <= 200)"

Invariant: obs-1
Description: "value, dataAbsentReason or component is present"
Severity: #error
Expression: "value.exists() or dataAbsentReason.exists() or component.exists()"

Invariant: up-1
Description: "a reason and a receiving organisation are present"
Severity: #error
Expression: "(reasonCode.exists() or reasonReference.exists()) and performer.where(reference.startsWith('Organization/') or reference.contains('/Organization/') or type='Organization').exists()"

Invariant: dn-1
Description: "supporting information and a performer are present"
Severity: #error
Expression: "supportingInfo.exists() and performer.exists()"

Invariant: dn-2
Description: "a CarePlan is among the supporting information"
Severity: #error
Expression: "supportingInfo.where(reference.contains('CarePlan/')).exists()"
