// FdReferral, its two directions, and the task that the receiver answers.

Extension: GreenChannel
Id: green-channel
Title: "绿色通道"
Description: "The referral takes the green channel."
Context: ServiceRequest
* insert Value(boolean)

Extension: ReservedResource
Id: reserved-resource
Title: "预留资源"
Description: "Bed, examination, appointment number, ambulance or operating room held for the referral, its state and until when."
Context: ServiceRequest
* extension contains type 1..1 and reference 0..1 and state 1..1 and until 0..1
* insert PartCode(type, ResourceTypeVS)
* insert Part(reference, Reference(Appointment or Slot or Location or Task\))
* insert PartCode(state, ResourceStateVS)
* insert Part(until, dateTime)

Extension: Escort
Id: escort
Title: "专人专车护送"
Description: "Who accompanies the patient, and in which vehicle."
Context: ServiceRequest
* extension contains person 0..1 and vehicle 0..1
* insert Part(person, Reference(Practitioner or PractitionerRole or RelatedPerson\))
* insert Part(vehicle, Reference(Location or Device\))

Extension: RequestingOrganization
Id: requesting-organization
Title: "转出机构"
Description: "Institution that refers the patient."
Context: ServiceRequest
* insert Value(Reference(Organization\))

Extension: EmsTimeline
Id: ems-timeline
Title: "急救时间轴"
Description: "Times of an ambulance run."
Context: Task
* extension contains call 0..1 and dispatch 0..1 and arrive 0..1 and depart 0..1 and hospital 0..1
* insert Part(call, instant)
* insert Part(dispatch, instant)
* insert Part(arrive, instant)
* insert Part(depart, instant)
* insert Part(hospital, instant)

Profile: FdReferral
Parent: ServiceRequest
Id: fd-referral
Title: "转诊"
Description: "What every referral has. Its kind (code) and priority are must-support but may be absent: printed referral slips carry neither, and R4 reads an absent priority as normal."
* extension contains
    RequestingOrganization named requestingOrganization 1..1 MS and
    Contract named contract 0..1 MS
* identifier 1..* MS
* status MS
* intent = #order (exactly)
* category 1..1 MS
* category from RequestCategoryVS (extensible)
* code MS
* code from ReferralTypeVS (extensible)
* priority MS
* subject only Reference(FdPatient)
* authoredOn 1..1 MS
* requester 1..1 MS
* requester only Reference(PractitionerRole)
* performer 1..* MS
* reasonCode MS
* reasonReference MS
* supportingInfo MS

Profile: FdUpReferral
Parent: FdReferral
Id: fd-up-referral
Title: "上转"
Description: "Referral from the grassroots to a hospital: a reason and a receiving institution (up-1)."
* obeys up-1
* extension contains
    GreenChannel named greenChannel 0..1 and
    ReservedResource named reservedResource 0..* and
    Escort named escort 0..1
* category = RequestCategoryCS#up-referral

Profile: FdDownReferral
Parent: FdReferral
Id: fd-down-referral
Title: "下转"
Description: "Referral back to the grassroots for rehabilitation. Exactly one CarePlan belongs to the supporting information: dn-2 demands one, and nothing here counts further ones, since that needs the targets of the references. The discharge DocumentReference is must-support and may be absent in this version: grassroots systems keep the discharge summary as text of the return slip, not always as a document."
* obeys dn-1 and dn-2
* category = RequestCategoryCS#down-referral
* supportingInfo 1..*

Profile: FdReferralTask
Parent: Task
Id: fd-referral-task
Title: "转诊任务"
Description: "The receiver's side of a referral: status and businessStatus tell how far it is. Where a restriction stands, it says until when an answer is due."
* extension contains Contract named contract 0..1 and EmsTimeline named emsTimeline 0..1
* identifier MS
* status MS
* statusReason from RejectReasonVS (extensible)
* businessStatus MS
* businessStatus from BusinessStatusVS (extensible)
* code 1..1 MS
* code from ReferralTaskCodeVS (extensible)
* focus 1..1 MS
* focus only Reference(ServiceRequest)
* for MS
* for only Reference(FdPatient)
* authoredOn MS
* owner 1..1 MS
* restriction MS
* restriction.period 1..1
* restriction.period.end 1..1
