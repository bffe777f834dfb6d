// Extensions used on more than one resource type, and the rule sets that all extensions share.

RuleSet: Value(type)
* value[x] 1..1
* value[x] only {type}

RuleSet: Concept(valueset, strength)
* value[x] 1..1
* value[x] only CodeableConcept
* valueCodeableConcept from {valueset} ({strength})

RuleSet: Part(name, type)
* extension[{name}].value[x] 1..1
* extension[{name}].value[x] only {type}

RuleSet: PartConcept(name, valueset)
* extension[{name}].value[x] 1..1
* extension[{name}].value[x] only CodeableConcept
* extension[{name}].valueCodeableConcept from {valueset} (extensible)

// A `code` has no system of its own, so its value set has to be closed.
RuleSet: PartCode(name, valueset)
* extension[{name}].value[x] 1..1
* extension[{name}].value[x] only code
* extension[{name}].valueCode from {valueset} (required)

Extension: KeyPopulation
Id: key-population
Title: "重点人群"
Description: "A population group that the person belongs to; on a contract, as it was at signing. Keep a source code without counterpart as a further coding beside `other`."
Context: Patient, EpisodeOfCare
* insert Concept(KeyPopulationVS, required)

Extension: ServingArea
Id: serving-area
Title: "服务区域"
Description: "Administrative division that is served, by its 6, 9 or 12 digit code."
Context: EpisodeOfCare, CareTeam, HealthcareService
* insert Value(Coding)
* valueCoding from AdminDivisionVS (preferred)
* valueCoding.code 1..1

Extension: Division
Id: division
Title: "行政区划"
Description: "Administrative division of an address or household, by its 6, 9 or 12 digit code."
Context: Address, Group
* insert Value(Coding)
* valueCoding from AdminDivisionVS (preferred)
* valueCoding.code 1..1

Extension: Grid
Id: grid
Title: "所属网格"
Description: "Grid that the person or household belongs to."
Context: Patient, Group
* insert Value(Reference(Location\))

Extension: Contract
Id: contract
Title: "所属签约"
Description: "Contract under which something is asked for, done or measured. An Encounter uses Encounter.episodeOfCare instead."
Context: ServiceRequest, CarePlan, Task, Observation
* insert Value(Reference(EpisodeOfCare\))

Extension: ControlStatus
Id: control-status
Title: "控制情况"
Description: "Class of a chronic-disease follow-up."
Context: Observation, Encounter
* insert Concept(ControlStatusVS, extensible)

Extension: DataSource
Id: data-source
Title: "数据来源"
Description: "Where an element came from, when `meta.source` of the whole resource is not enough."
Context: Element
* insert Value(uri)

Extension: PackageTier
Id: package-tier
Title: "服务包层级"
Description: "Tier of a service package."
Context: PlanDefinition
* insert Concept(PackageTierVS, extensible)

Extension: Price
Id: price
Title: "价格"
Description: "Price of a service package or of one of its items."
Context: PlanDefinition, PlanDefinition.action
* insert Value(Money)

Extension: Benefit
Id: benefit
Title: "优惠方式"
Description: "What the package gives for its services."
Context: PlanDefinition, PlanDefinition.action
* insert Concept(BenefitVS, extensible)

Extension: FrequencyText
Id: frequency-text
Title: "频次说明"
Description: "Frequency of a service as the source words it, beside `timingTiming`."
Context: PlanDefinition, PlanDefinition.action
* insert Value(string)

Extension: LongTermPrescription
Id: long-term-prescription
Title: "长期处方"
Description: "Marks a long prescription: its weeks, the chronic disease it is for, and the day on which the supply ends."
Context: MedicationRequest
* extension contains weeks 0..1 and indication 0..1 and supplyEnd 0..1
* insert Part(weeks, positiveInt)
* insert Part(indication, CodeableConcept)
* insert Part(supplyEnd, date)

Extension: MutualRecognition
Id: mutual-recognition
Title: "检查检验结果互认"
Description: "The report is recognised by the other institutions of the alliance."
Context: DiagnosticReport
* insert Value(boolean)
