// FdTeam: any service team. FdCareTeam: the teams that residents sign with.

Extension: TeamType
Id: team-type
Title: "团队类型"
Description: "What the team was set up for."
Context: CareTeam
* insert Concept(TeamTypeVS, extensible)

Extension: TeamModel
Id: team-model
Title: "团队模式"
Description: "How the team is put together."
Context: CareTeam
* insert Concept(TeamModelVS, extensible)

Extension: TeamLeader
Id: team-leader
Title: "团队长"
Description: "True for the member who leads the team."
Context: CareTeam.participant
* insert Value(boolean)

Extension: TierLevel
Id: tier-level
Title: "服务层级"
Description: "Tier of the member in a private-doctor team, 1 to 6."
Context: CareTeam.participant
* insert Value(integer)
* valueInteger ^minValueInteger = 1
* valueInteger ^maxValueInteger = 6

Extension: Capacity
Id: capacity
Title: "签约容量"
Description: "How many residents the team wants and may take, and whether it takes new ones."
Context: CareTeam
* extension contains target 0..1 and limit 0..1 and accepting 0..1
* insert Part(target, integer)
* insert Part(limit, integer)
* insert Part(accepting, boolean)

Extension: PartOfTeam
Id: part-of-team
Title: "上级团队"
Description: "Team that this one belongs to."
Context: CareTeam
* insert Value(Reference(CareTeam\))

Profile: FdTeam
Parent: CareTeam
Id: fd-team
Title: "服务团队"
Description: "Any team of the contract service: support teams, grids, multidisciplinary teams. A participant has one role; who has two roles stands twice."
* obeys ct-3 and ct-4
* extension contains
    ServingArea named servingArea 0..* MS and
    TeamType named teamType 0..1 and
    TeamModel named teamModel 0..1 and
    Capacity named capacity 0..1 and
    PartOfTeam named partOfTeam 0..1
* identifier 1..* MS
* status 1..1 MS
* category 1..* MS
* category from TeamCategoryVS (extensible)
* name 1..1 MS
* participant MS
* participant.extension contains TeamLeader named teamLeader 0..1 and TierLevel named tierLevel 0..1
* participant.role 1..1 MS
* participant.role from TeamRoleVS (extensible)
* participant.member MS
* participant.member only Reference(PractitionerRole or Practitioner or RelatedPerson or CareTeam)
* managingOrganization 1..1 MS
* managingOrganization only Reference(Organization)
* telecom MS

Profile: FdCareTeam
Parent: FdTeam
Id: fd-care-team
Title: "家庭医生团队"
Description: "A standing team that residents sign with (categories family-doctor-team and private-doctor): at least one family doctor and one nurse, led by a family doctor."
* obeys ct-1 and ct-2
* subject 0..0
* participant ^slicing.discriminator.type = #pattern
* participant ^slicing.discriminator.path = "role"
* participant ^slicing.rules = #open
* participant contains familyDoctor 1..* MS and nurse 1..* MS
* participant[familyDoctor].role = TeamRoleCS#family-doctor
* participant[nurse].role = TeamRoleCS#nurse
