// FdPatient: the resident.

Extension: EconomicType
Id: economic-type
Title: "经济类型"
Description: "Economic group of the resident."
Context: Patient
* insert Concept(EconomicTypeVS, extensible)

Extension: EthnicGroup
Id: ethnic-group
Title: "民族"
Description: "Ethnic group by the numbers of GB 3304."
Context: Patient
* insert Value(Coding)
* valueCoding from EthnicGb3304VS (extensible)

Extension: GenderCode
Id: gender-code
Title: "性别代码"
Description: "The GB/T 2261.1 code beside the FHIR code: it keeps 0 and 9 apart, which both are `unknown`."
Context: Patient.gender
* insert Value(Coding)
* valueCoding from GenderGbt22611VS (extensible)

Extension: ResidenceType
Id: residence-type
Title: "常住类型"
Description: "Whether the resident is registered where he or she lives."
Context: Patient
* insert Concept(ResidenceTypeVS, extensible)

Extension: ArchiveStatus
Id: archive-status
Title: "健康档案状态"
Description: "State of the health record, and why it was cancelled."
Context: Patient
* extension contains status 1..1 and reason 0..1
* insert PartCode(status, ArchiveStateVS)
* insert PartConcept(reason, ArchiveCancelReasonVS)

Profile: FdPatient
Parent: Patient
Id: fd-patient
Title: "签约居民"
Description: "A resident of the family-doctor service. Numbers of a source system stand in further identifiers under the system of that source; a number that fails its check never stands under the national system."
* obeys fd-id-checksum and fd-id-birthdate and fd-id-gender and fd-elderly and fd-child and fd-name-text
* extension contains
    KeyPopulation named keyPopulation 0..* MS and
    EconomicType named economicType 0..* and
    EthnicGroup named ethnicGroup 0..1 and
    ResidenceType named residenceType 0..1 and
    Grid named grid 0..1 and
    ArchiveStatus named archiveStatus 0..1
* identifier 1..* MS
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "system"
* identifier ^slicing.rules = #open
* identifier ^slicing.description = "National numbers by their system; identifiers of sources under their own systems are welcome beside them."
* identifier contains idCard 0..1 MS and healthRecordNo 0..1 MS and healthCard 0..1 and insurance 0..1
* identifier[idCard] ^short = "居民身份证号"
* identifier[idCard].system 1..1
* identifier[idCard].system = "urn:oid:2.16.156.10011.1.3" (exactly)
* identifier[idCard].value 1..1
* identifier[healthRecordNo] ^short = "健康档案编号, 17 digits"
* identifier[healthRecordNo].system 1..1
* identifier[healthRecordNo].system = "urn:oid:2.16.156.10011.1.2" (exactly)
* identifier[healthRecordNo].value 1..1
* identifier[healthCard] ^short = "居民健康卡号"
* identifier[healthCard].system 1..1
* identifier[healthCard].system = "urn:oid:2.16.156.10011.1.19" (exactly)
* identifier[healthCard].value 1..1
* identifier[insurance] ^short = "社会保障卡号"
* identifier[insurance].system 1..1
* identifier[insurance].system = "urn:oid:2.16.840.1.113883.2.23.1.19.2" (exactly)
* identifier[insurance].value 1..1
* name 1..* MS
* name.text 1..1 MS
* name.given 0..1
* telecom MS
* gender 1..1 MS
* gender.extension contains GenderCode named genderCode 0..1
* birthDate 1..1 MS
* address MS
* address.extension contains Division named division 0..1
* maritalStatus.coding ^slicing.discriminator.type = #value
* maritalStatus.coding ^slicing.discriminator.path = "system"
* maritalStatus.coding ^slicing.rules = #open
* maritalStatus.coding contains national 0..1
* maritalStatus.coding[national].system 1..1
* maritalStatus.coding[national].system = "urn:oid:2.16.156.10011.2.3.3.5" (exactly)
* maritalStatus.coding[national].code 1..1
* maritalStatus.coding[national] from MaritalGbt22612VS (extensible)
* generalPractitioner MS
* generalPractitioner only Reference(Practitioner or PractitionerRole or Organization)
* managingOrganization MS
