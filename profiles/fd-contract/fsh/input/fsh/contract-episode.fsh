// FdContractEpisode: the contract itself.

Extension: ContractStatus
Id: contract-status
Title: "签约状态"
Description: "State of the contract, finer than EpisodeOfCare.status."
Context: EpisodeOfCare
* insert Concept(ContractStatusVS, required)

Extension: ContractType
Id: contract-type
Title: "签约类型"
Description: "Kind of contract."
Context: EpisodeOfCare
* insert Concept(ContractTypeVS, required)

Extension: SignedOn
Id: signed-on
Title: "签约日期"
Description: "Day on which the contract was signed."
Context: EpisodeOfCare
* insert Value(date)

Extension: SigningChannel
Id: signing-channel
Title: "签约渠道"
Description: "Channel through which the contract was signed."
Context: EpisodeOfCare
* insert Concept(SigningChannelVS, extensible)

Extension: SigningWay
Id: signing-way
Title: "签约方式"
Description: "Who signed, and how."
Context: EpisodeOfCare
* insert Concept(SigningWayVS, extensible)

Extension: ContractBenefit
Id: contract-benefit
Title: "签约优惠"
Description: "What the contract gives for a package or service."
Context: ServicePackage, PlanDefinition.action
* insert Concept(BenefitVS, extensible)

Extension: ServicePackage
Id: service-package
Title: "签约服务包"
Description: "A service package of the contract: its code, definition, price, term, and how often it may be and was used."
Context: EpisodeOfCare
* extension contains package 0..1 and code 1..1 and tier 0..1 and price 0..1 and start 0..1 and end 0..1 and quota 0..1 and used 0..1 and ContractBenefit named benefit 0..*
* extension[package].value[x] 1..1
* extension[package].value[x] only Reference(PlanDefinition) or canonical
* insert PartConcept(code, ServicePackageVS)
* insert PartConcept(tier, PackageTierVS)
* insert Part(price, Money)
* insert Part(start, date)
* insert Part(end, date)
* insert Part(quota, integer)
* insert Part(used, integer)

Extension: Fee
Id: fee
Title: "签约费用"
Description: "Fee of the contract, the share of the team (0 to 1), whether it is paid, and who funds it."
Context: EpisodeOfCare
* extension contains total 1..1 and team-share 0..1 and pay-status 0..1 and funding 0..*
* insert Part(total, Money)
* insert Part(team-share, decimal)
* extension[team-share].valueDecimal ^minValueDecimal = 0
* extension[team-share].valueDecimal ^maxValueDecimal = 1
* insert PartConcept(pay-status, PayStatusVS)
* extension[funding].extension contains source 1..1 and amount 1..1 and payer 0..1
* extension[funding].extension[source].value[x] 1..1
* extension[funding].extension[source].value[x] only CodeableConcept
* extension[funding].extension[source].valueCodeableConcept from FundingSourceVS (extensible)
* extension[funding].extension[amount].value[x] 1..1
* extension[funding].extension[amount].value[x] only Money
* extension[funding].extension[payer].value[x] 1..1
* extension[funding].extension[payer].value[x] only Reference(Organization)

Extension: PartnerHospital
Id: partner-hospital
Title: "签约合作医院"
Description: "Secondary or tertiary hospital that the resident chose beside the grassroots team."
Context: EpisodeOfCare
* extension contains level 1..1 and organization 1..1
* insert PartCode(level, PartnerLevelVS)
* insert Part(organization, Reference(Organization\))

Extension: ResidentConsent
Id: resident-consent
Title: "居民知情同意"
Description: "Consent of the resident that came with the signature."
Context: EpisodeOfCare
* insert Value(Reference(Consent\))

Extension: Agreement
Id: agreement
Title: "协议文本"
Description: "The signed agreement."
Context: EpisodeOfCare
* insert Value(Reference(DocumentReference\))

Extension: Representative
Id: representative
Title: "签约代表"
Description: "Who signed for the resident: the head of the household or a guardian."
Context: EpisodeOfCare
* insert Value(Reference(RelatedPerson\))

Extension: FamilyGroup
Id: family-group
Title: "签约家庭"
Description: "Household that the contract belongs to."
Context: EpisodeOfCare
* insert Value(Reference(Group\))

Extension: Renewal
Id: renewal
Title: "续约"
Description: "Contract that this one follows, its number in the row, its term in years, and whether it renews by itself."
Context: EpisodeOfCare
* extension contains renewedFrom 0..1 and sequence 0..1 and autoRenew 0..1 and termYears 0..1
* insert Part(renewedFrom, Reference(EpisodeOfCare\))
* insert Part(sequence, positiveInt)
* insert Part(autoRenew, boolean)
* insert Part(termYears, positiveInt)

Extension: Termination
Id: termination
Title: "解约"
Description: "Why, when and at whose request the contract ended or never took effect."
Context: EpisodeOfCare
* extension contains reason 0..1 and date 0..1 and requestedBy 0..1 and transferTo 0..1 and note 0..1
* insert PartConcept(reason, TerminationReasonVS)
* insert Part(date, date)
* insert Part(requestedBy, Reference(Patient or RelatedPerson or Practitioner or PractitionerRole or Organization or CareTeam\))
* insert Part(transferTo, Reference(CareTeam\))
* insert Part(note, string)

Profile: FdContractEpisode
Parent: EpisodeOfCare
Id: fd-contract-episode
Title: "家庭医生签约"
Description: "A family-doctor contract: one resident, one managing institution, a fixed term. An active contract has a team, a consent and a signing date (fdc-3); a closed one has a reason (fdc-4)."
* obeys fdc-1 and fdc-2 and fdc-3 and fdc-4 and fdc-5 and fdc-6
* extension contains
    ContractStatus named contractStatus 1..1 MS and
    ContractType named contractType 1..1 MS and
    SignedOn named signedOn 0..1 MS and
    SigningChannel named signingChannel 0..1 and
    SigningWay named signingWay 0..1 and
    ServicePackage named servicePackage 0..* MS and
    Fee named fee 0..1 and
    PartnerHospital named partnerHospital 0..2 and
    ResidentConsent named residentConsent 0..1 MS and
    Agreement named agreement 0..1 and
    Representative named representative 0..1 and
    FamilyGroup named familyGroup 0..1 and
    ServingArea named servingArea 0..* and
    Renewal named renewal 0..1 and
    Termination named termination 0..1 and
    KeyPopulation named keyPopulation 0..*
* identifier 1..* MS
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "system"
* identifier ^slicing.rules = #open
* identifier ^slicing.description = "The contract number of this platform, and the number of each source under its own system."
* identifier contains contractNo 0..1 MS
* identifier[contractNo] ^short = "签约编号"
* identifier[contractNo].system 1..1
* identifier[contractNo].system = "http://jtys.example/fhir/sid/contract-no" (exactly)
* identifier[contractNo].value 1..1
* status MS
* type 1..* MS
* type ^slicing.discriminator.type = #pattern
* type ^slicing.discriminator.path = "$this"
* type ^slicing.rules = #open
* type ^slicing.description = "Exactly one coding of the contract; programmes may follow."
* type contains contract 1..1 MS
* type[contract] = EpisodeTypeCS#family-doctor-contract
* patient only Reference(FdPatient)
* managingOrganization 1..1 MS
* period 1..1 MS
* period.start 1..1
* period.end 1..1
* careManager MS
* careManager only Reference(PractitionerRole)
* team 0..2 MS

Instance: contract-status-to-episode-status
InstanceOf: ConceptMap
Usage: #definition
* url = "http://jtys.example/fhir/ConceptMap/contract-status-to-episode-status"
* version = "0.1.0"
* name = "ContractStatusToEpisodeStatus"
* title = "签约状态与EpisodeOfCare.status对照"
* status = #active
* experimental = false
* description = "Which EpisodeOfCare.status a contract status goes with."
* sourceCanonical = Canonical(ContractStatusVS)
* targetCanonical = "http://hl7.org/fhir/ValueSet/episode-of-care-status"
* group.source = Canonical(ContractStatusCS)
* group.target = "http://hl7.org/fhir/episode-of-care-status"
* insert StatusRow(0, draft, planned)
* insert StatusRow(1, doctor-applied, planned)
* insert StatusRow(2, resident-applied, planned)
* insert StatusRow(3, active, active)
* insert StatusRow(4, terminating, active)
* insert StatusRow(5, transferring, active)
* insert StatusRow(6, terminated, finished)
* insert StatusRow(7, expired, finished)
* insert StatusRow(8, changed, finished)
* insert StatusRow(9, transferred, finished)
* insert StatusRow(10, rejected, cancelled)
* insert StatusRow(11, withdrawn, cancelled)
* insert StatusRow(12, voided, entered-in-error)

RuleSet: StatusRow(row, from, to)
* group.element[{row}].code = #{from}
* group.element[{row}].target.code = #{to}
* group.element[{row}].target.equivalence = #wider
