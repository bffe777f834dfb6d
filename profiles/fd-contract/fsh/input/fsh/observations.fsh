// FdObservation and the vital signs and lifestyle items of the first version.

Extension: GlucoseTiming
Id: glucose-timing
Title: "血糖测量时段"
Description: "When blood glucose was measured."
Context: Observation
* insert Concept(GlucoseTimingVS, extensible)

// What FdObservation asks for, repeated in the profiles that derive from R4's vital signs.
RuleSet: ObservationRules
* obeys obs-1
* meta 1..1
* meta.source 1..1
* extension contains Contract named contract 0..1
* identifier 1..* MS
* category 1..* MS
* subject 1..1 MS
* subject only Reference(FdPatient)
* effective[x] 1..1 MS
* effective[x] only dateTime or Period
* encounter MS
* performer MS
* device MS

Profile: FdObservation
Parent: Observation
Id: fd-observation
Title: "签约服务观察"
Description: "What every observation of the contract service has: source, identifier (a second arrival updates the first), person, time, and a result or the reason for its absence. It names at least one of encounter, device and contract; the server checks that."
* insert ObservationRules
* extension contains GlucoseTiming named glucoseTiming 0..1 and ControlStatus named controlStatus 0..1

Profile: FdBP
Parent: http://hl7.org/fhir/StructureDefinition/bp
Id: fd-bp
Title: "血压"
Description: "Blood pressure in mm[Hg]: systolic above diastolic, both in a plausible range. A pulse that came with it is an observation of its own (fd-heart-rate)."
* obeys bp-1 and bp-2
* insert ObservationRules
* extension contains ControlStatus named controlStatus 0..1
* performer 1..*

Profile: FdHeartRate
Parent: http://hl7.org/fhir/StructureDefinition/heartrate
Id: fd-heart-rate
Title: "心率"
Description: "Heart rate in beats a minute."
* insert ObservationRules

Profile: FdWeight
Parent: http://hl7.org/fhir/StructureDefinition/bodyweight
Id: fd-weight
Title: "体重"
Description: "Body weight in kg; a source that sends 斤 is converted before it comes here."
* insert ObservationRules
* valueQuantity.code = #kg (exactly)

Profile: FdBMI
Parent: http://hl7.org/fhir/StructureDefinition/bmi
Id: fd-bmi
Title: "体质指数"
Description: "Body mass index in kg/m2, 8 to 80. Where weight and height are known, derivedFrom names them."
* insert ObservationRules
* valueQuantity.value ^minValueDecimal = 8
* valueQuantity.value ^maxValueDecimal = 80

Profile: FdLifestyle
Parent: FdObservation
Id: fd-lifestyle
Title: "生活方式"
Description: "Smoking, alcohol, exercise or salt intake as the follow-up forms record them."
* category ^slicing.discriminator.type = #pattern
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains socialHistory 1..1 MS
* category[socialHistory] = http://terminology.hl7.org/CodeSystem/observation-category#social-history
* code from LifestyleItemVS (extensible)
* value[x] only Quantity or CodeableConcept or integer or string
