// Value sets: every one is a whole local code system, or a few codes of one.

RuleSet: Whole(system)
* ^language = #zh-CN
* ^experimental = false
* include codes from system {system}

ValueSet: ContractStatusVS
Id: contract-status
Title: "签约状态"
Description: "Canonical state of a family-doctor contract, finer than EpisodeOfCare.status."
* insert Whole(ContractStatusCS)

ValueSet: ContractTypeVS
Id: contract-type
Title: "签约类型"
Description: "Kind of family-doctor contract."
* insert Whole(ContractTypeCS)

ValueSet: TerminationReasonVS
Id: termination-reason
Title: "解约原因"
Description: "Why a contract ended or never took effect."
* insert Whole(TerminationReasonCS)

ValueSet: SigningChannelVS
Id: signing-channel
Title: "签约渠道"
Description: "Through which channel the contract was signed."
* insert Whole(SigningChannelCS)

ValueSet: SigningWayVS
Id: signing-way
Title: "签约方式"
Description: "Who signed, and how."
* insert Whole(SigningWayCS)

ValueSet: TeamCategoryVS
Id: team-category
Title: "团队类别"
Description: "Category of a service team."
* insert Whole(TeamCategoryCS)

ValueSet: TeamRoleVS
Id: team-role
Title: "团队角色"
Description: "Role of a member in a service team."
* insert Whole(TeamRoleCS)

ValueSet: TeamTypeVS
Id: team-type
Title: "团队类型"
Description: "What a team was set up for."
* insert Whole(TeamTypeCS)

ValueSet: TeamModelVS
Id: team-model
Title: "团队模式"
Description: "How a team is put together."
* insert Whole(TeamModelCS)

ValueSet: KeyPopulationVS
Id: key-population
Title: "重点人群"
Description: "Population groups of the contract service; tenants derive elderly-65 and children-0-6 from the birth date."
* insert Whole(KeyPopulationCS)

ValueSet: EconomicTypeVS
Id: economic-type
Title: "经济类型"
Description: "Economic group of a resident."
* insert Whole(EconomicTypeCS)

ValueSet: ServiceItemVS
Id: service-item
Title: "服务项目"
Description: "Items of the contract service; 1 to 14 are the fulfilment types in use, the others extend them."
* insert Whole(ServiceItemCS)

ValueSet: ServicePackageVS
Id: service-package
Title: "服务包"
Description: "Service packages; organisations add their own under their own system."
* insert Whole(ServicePackageCS)

ValueSet: PackageTierVS
Id: package-tier
Title: "服务包层级"
Description: "Tier of a service package."
* insert Whole(PackageTierCS)

ValueSet: FundingSourceVS
Id: funding-source
Title: "资金来源"
Description: "Who pays a part of the contract fee."
* insert Whole(FundingSourceCS)

ValueSet: RequestCategoryVS
Id: request-category
Title: "服务申请类别"
Description: "Category of a service request of the contract service."
* insert Whole(RequestCategoryCS)

ValueSet: ReferralTypeVS
Id: referral-type
Title: "转诊类型"
Description: "What a referral asks for."
* insert Whole(ReferralTypeCS)

ValueSet: TaskCodeVS
Id: task-code
Title: "任务代码"
Description: "What a task asks for; the codes of service-item may be used beside these."
* insert Whole(TaskCodeCS)

ValueSet: BusinessStatusVS
Id: business-status
Title: "转诊业务状态"
Description: "Milestones of a referral, Task.businessStatus."
* insert Whole(BusinessStatusCS)

ValueSet: RejectReasonVS
Id: reject-reason
Title: "拒绝接收原因"
Description: "Why a referral was rejected: the first four by a hospital, the last three by the grassroots."
* insert Whole(RejectReasonCS)

ValueSet: GlucoseTimingVS
Id: glucose-timing
Title: "血糖测量时段"
Description: "When blood glucose was measured."
* insert Whole(GlucoseTimingCS)

ValueSet: ControlStatusVS
Id: control-status
Title: "控制情况"
Description: "Class of a chronic-disease follow-up."
* insert Whole(ControlStatusCS)

ValueSet: FollowUpWayVS
Id: follow-up-way
Title: "随访方式"
Description: "How a follow-up took place."
* insert Whole(FollowUpWayCS)

ValueSet: ResidenceTypeVS
Id: residence-type
Title: "常住类型"
Description: "Registered residence or not."
* insert Whole(ResidenceTypeCS)

ValueSet: PayStatusVS
Id: pay-status
Title: "缴费状态"
Description: "Whether the contract fee has been paid."
* insert Whole(PayStatusCS)

ValueSet: BenefitVS
Id: benefit
Title: "签约优惠"
Description: "What the contract gives for a service."
* insert Whole(BenefitCS)

ValueSet: EpisodeTypeVS
Id: episode-type
Title: "服务周期类型"
Description: "Kind of an EpisodeOfCare."
* insert Whole(EpisodeTypeCS)

ValueSet: EncounterTypeVS
Id: encounter-type
Title: "服务接触类型"
Description: "Kind of an Encounter."
* insert Whole(EncounterTypeCS)

ValueSet: GroupTypeVS
Id: group-type
Title: "人群分组类型"
Description: "Kind of a Group."
* insert Whole(GroupTypeCS)

ValueSet: LifestyleVS
Id: lifestyle
Title: "生活方式观察项"
Description: "Lifestyle items of the follow-up forms that LOINC has no agreed code for."
* insert Whole(LifestyleCS)

ValueSet: SaltLevelVS
Id: salt-level
Title: "摄盐程度"
Description: "Grade of salt intake."
* insert Whole(SaltLevelCS)

ValueSet: PartnerLevelVS
Id: partner-level
Title: "合作医院层级"
Description: "Level of a partner hospital of a 1+1+1 contract."
* insert Whole(PartnerLevelCS)

ValueSet: ArchiveStateVS
Id: archive-state
Title: "健康档案状态"
Description: "State of a health record."
* insert Whole(ArchiveStateCS)

ValueSet: ResourceTypeVS
Id: resource-type
Title: "预留资源类型"
Description: "Kind of resource reserved for a referral."
* insert Whole(ResourceTypeCS)

ValueSet: ResourceStateVS
Id: resource-state
Title: "预留资源状态"
Description: "State of a reserved resource."
* insert Whole(ResourceStateCS)

ValueSet: GenderGbt22611VS
Id: gender-gbt2261-1
Title: "人的性别代码"
Description: "GB/T 2261.1-2003, sex."
* insert Whole(GenderGbt22611CS)

ValueSet: MaritalGbt22612VS
Id: marital-gbt2261-2
Title: "婚姻状况代码"
Description: "GB/T 2261.2-2003, marital status."
* insert Whole(MaritalGbt22612CS)

ValueSet: EthnicGb3304VS
Id: ethnic-gb3304
Title: "中国各民族名称的罗马字母拼写法和代码"
Description: "GB 3304-1991, ethnic groups by number; local codes above 56 are not part of it."
* insert Whole(EthnicGb3304CS)

ValueSet: RelationshipGbt4761VS
Id: relationship-gbt4761
Title: "家庭关系代码"
Description: "GB/T 4761-2008, family relation."
* insert Whole(RelationshipGbt4761CS)

ValueSet: InstitutionTypeWs218VS
Id: institution-type-ws218
Title: "卫生机构(组织)分类与代码"
Description: "WS 218-2002 with later additions, class of health institution; no official system URL is known."
* insert Whole(InstitutionTypeWs218CS)

ValueSet: InstitutionManagementWs218VS
Id: institution-management-ws218
Title: "机构分类管理代码"
Description: "WS 218-2002 annex B, management class of an institution; no official system URL is known."
* insert Whole(InstitutionManagementWs218CS)

ValueSet: HospitalLevelVS
Id: hospital-level
Title: "医院等级代码"
Description: "Hospital grades as the Chongqing master data guide lists them (CC0)."
* insert Whole(HospitalLevelCS)

ValueSet: EducationGbt4658VS
Id: education-gbt4658
Title: "学历代码"
Description: "GB/T 4658-2006, education; its OID is to be confirmed."
* insert Whole(EducationGbt4658CS)

ValueSet: AboCv0450005VS
Id: abo-cv04-50-005
Title: "ABO血型代码 CV04.50.005"
Description: "WS 364, ABO blood group."
* insert Whole(AboCv0450005CS)

ValueSet: RhVS
Id: rh
Title: "Rh(D)血型代码"
Description: "WS 364, Rh(D) blood group."
* insert Whole(RhCS)

ValueSet: PaymentCv0710003VS
Id: payment-cv07-10-003
Title: "医疗费用支付方式代码 CV07.10.003"
Description: "WS 364.13-2011 CV07.10.003, way of payment; its OID is to be confirmed."
* insert Whole(PaymentCv0710003CS)

ValueSet: IdDocumentCv0201101VS
Id: id-document-cv02-01-101
Title: "身份证件类别代码 CV02.01.101"
Description: "WS 364.3-2011 CV02.01.101, kind of identity document; no official system URL is known."
* insert Whole(IdDocumentCv0201101CS)

ValueSet: AdminDivisionVS
Id: admin-division
Title: "行政区划"
Description: "Codes of administrative divisions; the system holds a fragment, any division code may be sent."
* insert Whole(AdminDivisionCS)

ValueSet: LifestyleItemVS
Id: lifestyle-item
Title: "生活方式观察项"
Description: "Lifestyle items: LOINC smoking status and the local items."
* ^language = #zh-CN
* ^experimental = false
* include codes from system LifestyleCS
* http://loinc.org#72166-2 "Tobacco smoking status"

ValueSet: ArchiveCancelReasonVS
Id: archive-cancel-reason
Title: "健康档案注销原因"
Description: "Why a health record was cancelled: codes of termination-reason."
* ^language = #zh-CN
* ^experimental = false
* TerminationReasonCS#death "死亡"
* TerminationReasonCS#moved-away "迁出"
* TerminationReasonCS#lost-contact "失访"
* TerminationReasonCS#resident-request "本人要求"
* TerminationReasonCS#other "其他"

ValueSet: ReferralTaskCodeVS
Id: referral-task-code
Title: "转诊任务代码"
Description: "The task codes of a referral."
* ^language = #zh-CN
* ^experimental = false
* TaskCodeCS#up-referral "上转"
* TaskCodeCS#down-referral "下转"
* TaskCodeCS#lateral-referral "平转"
