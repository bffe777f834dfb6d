// Code systems of the contract service: Chinese display, English designation.

RuleSet: Code(code, zh, en)
* #{code} {zh}
* #{code} ^designation.language = #en
* #{code} ^designation.value = {en}

RuleSet: Complete
* ^language = #zh-CN
* ^caseSensitive = true
* ^experimental = false

CodeSystem: ContractStatusCS
Id: contract-status
Title: "签约状态"
Description: "Canonical state of a family-doctor contract, finer than EpisodeOfCare.status."
* insert Complete
* insert Code(draft, "草稿", "Draft")
* insert Code(doctor-applied, [["医生申请(预签约)"]], "Applied by the doctor")
* insert Code(resident-applied, [["居民申请(待签约)"]], "Applied by the resident")
* insert Code(active, "已签约", "Active")
* insert Code(terminating, "解约中", "Termination requested")
* insert Code(transferring, "转签中", "Transfer requested")
* insert Code(terminated, "已解约", "Terminated")
* insert Code(expired, "到期", "Expired")
* insert Code(changed, "变更", "Changed to another doctor or team of the organisation")
* insert Code(transferred, "已转签", "Transferred to another organisation")
* insert Code(rejected, "拒签", "Rejected by the doctor")
* insert Code(withdrawn, "撤回", "Withdrawn by the resident")
* insert Code(voided, "作废", "Voided")

CodeSystem: ContractTypeCS
Id: contract-type
Title: "签约类型"
Description: "Kind of family-doctor contract."
* insert Complete
* insert Code(individual, "个人签约", "Individual")
* insert Code(family, "家庭签约", "Household")
* insert Code(functional-community, "功能社区签约", [["Functional community (enterprise, school)"]])
* insert Code(private-doctor, "私人医生签约", "Private doctor")
* insert Code(1+1+1, "1+1+1组合签约", "Grassroots team with one secondary and one tertiary hospital")
* insert Code(village-doctor, "乡村医生签约", "Village doctor")

CodeSystem: TerminationReasonCS
Id: termination-reason
Title: "解约原因"
Description: "Why a contract ended or never took effect."
* insert Complete
* insert Code(lost-contact, "失访", "Lost contact")
* insert Code(moved-away, "迁出", "Moved away")
* insert Code(death, "死亡", "Death")
* insert Code(resident-request, "本人要求", "Request of the resident")
* insert Code(refused-service, "连续一年拒绝服务", "Refused service for a year")
* insert Code(re-sign, "改签/重签", "Signed again or with another team")
* insert Code(invoice-voided, "发票作废", "Invoice voided")
* insert Code(expired, "到期", "Expired")
* insert Code(rejected, "拒签", "Rejected by the doctor")
* insert Code(withdrawn, "撤回", "Withdrawn by the resident")
* insert Code(other, "其他", "Other")

CodeSystem: SigningChannelCS
Id: signing-channel
Title: "签约渠道"
Description: "Through which channel the contract was signed."
* insert Complete
* insert Code(app-resident, "居民APP", "Resident app")
* insert Code(app-doctor, "医生APP", "Doctor app")
* insert Code(web, "网页", "Web")
* insert Code(wechat, "微信", "WeChat")
* insert Code(kiosk, "一体机", "Kiosk")
* insert Code(pos, "POS机", "POS terminal")
* insert Code(import, "导入", "Import")
* insert Code(paper, "纸质", "Paper")

CodeSystem: SigningWayCS
Id: signing-way
Title: "签约方式"
Description: "Who signed, and how."
* insert Complete
* insert Code(self, "本人签约", "Self")
* insert Code(family-proxy, "家人代签", "By a family member")
* insert Code(doctor-proxy, "医生代签", "By the doctor")
* insert Code(qr, "扫码签约", "By QR code")
* insert Code(assisted, "协助签约", "Assisted")

CodeSystem: TeamCategoryCS
Id: team-category
Title: "团队类别"
Description: "Category of a service team."
* insert Complete
* insert Code(family-doctor-team, "家庭医生团队", "Family-doctor team")
* insert Code(private-doctor, "私人医生团队", "Private-doctor team")
* insert Code(jxw, "介小卫", [["Jiexiaowei (umbrella)"]])
* insert Code(jxy, "介小医", [["Jiexiaoyi (medical)"]])
* insert Code(jxk-grid, "介小康", [["Jiexiaokang (grid)"]])
* insert Code(jxj, "介小健", [["Jiexiaojian (health promotion)"]])
* insert Code(support-team, "支持团队", "Support team")
* insert Code(mdt, "多学科团队", "Multidisciplinary team")
* insert Code(expert-studio, "专家工作室", "Expert studio")

CodeSystem: TeamRoleCS
Id: team-role
Title: "团队角色"
Description: "Role of a member in a service team."
* insert Complete
* insert Code(family-doctor, "家庭医生", "Family doctor")
* insert Code(nurse, "护士", "Nurse")
* insert Code(public-health, "公卫医师", "Public-health physician")
* insert Code(village-doctor, "乡村医生", "Village doctor")
* insert Code(specialist, "专科医师", "Specialist")
* insert Code(pharmacist, "药师", "Pharmacist")
* insert Code(tcm, "中医保健调理师", "TCM practitioner")
* insert Code(rehab, "康复师", "Rehabilitation therapist")
* insert Code(psych, "心理咨询师", "Psychologist")
* insert Code(nutritionist, "营养师", "Nutritionist")
* insert Code(health-manager, "健康管理师", "Health manager")
* insert Code(assistant, "团队助理", "Assistant")
* insert Code(grid-keeper, "网格员", "Grid keeper")
* insert Code(health-promoter, "健康宣传员", "Health promoter")
* insert Code(poverty-cadre, "帮扶干部", "Poverty-relief cadre")
* insert Code(volunteer, "志愿者", "Volunteer")
* insert Code(social-worker, "社工", "Social worker")
* insert Code(county-supervisor, "县级指导医生", "County supervisor")
* insert Code(hospital-technician, "医技人员", "Technician")
* insert Code(township-attendant, "乡镇服务人员", "Township attendant")
* insert Code(village-informant, "村信息员", "Village informant")

CodeSystem: TeamTypeCS
Id: team-type
Title: "团队类型"
Description: "What a team was set up for."
* insert Complete
* insert Code(family, "家签", "Family-doctor contract")
* insert Code(tri-manager, "三师共管", "Joint care by three professionals")
* insert Code(home-care, "居家养老", "Home care of the elderly")

CodeSystem: TeamModelCS
Id: team-model
Title: "团队模式"
Description: "How a team is put together."
* insert Complete
* insert Code(1+3+N, "1+3+N", [["One specialist, a core of three, N further members"]])
* insert Code(six-tier, "六级服务", "Six tiers")
* insert Code(four-member, "四人团队", "Four members")
* insert Code(1+1+1, "1+1+1", [["Grassroots, secondary and tertiary"]])
* insert Code(jxk-grid, "介小康网格", "Jiexiaokang grid")

CodeSystem: KeyPopulationCS
Id: key-population
Title: "重点人群"
Description: "Population groups of the contract service; tenants derive elderly-65 and children-0-6 from the birth date."
* insert Complete
* insert Code(general, "一般人群", "General population")
* insert Code(children-0-6, "0–6岁儿童", "Children aged 0 to 6")
* insert Code(maternal, "孕产妇", "Pregnant and puerperal women")
* insert Code(elderly-65, "65岁及以上老年人", "Aged 65 or older")
* insert Code(hypertension, "高血压", "Hypertension")
* insert Code(diabetes-t2, "2型糖尿病", "Type 2 diabetes")
* insert Code(smi, "严重精神障碍", "Severe mental illness")
* insert Code(tb, "肺结核", "Pulmonary tuberculosis")
* insert Code(disabled, "残疾人", "Disabled")
* insert Code(special-family, "计生特殊家庭", "Special families of birth planning")
* insert Code(poverty-monitored, "建档立卡/重点监测对象", "Registered or monitored poverty")
* insert Code(low-income, "低保", "Minimum living allowance")
* insert Code(destitute, [["特困(五保)"]], "Destitute")
* insert Code(veteran, "重点优抚", "Entitled veterans")
* insert Code(stroke, "脑卒中/脑血管病", "Stroke")
* insert Code(chd, "冠心病", "Coronary heart disease")
* insert Code(cancer, "肿瘤", "Cancer")
* insert Code(copd, "慢阻肺", "COPD")
* insert Code(other, "其他", "Other")

CodeSystem: EconomicTypeCS
Id: economic-type
Title: "经济类型"
Description: "Economic group of a resident."
* insert Complete
* insert Code(general, "一般", "General")
* insert Code(poverty-monitored, "建档立卡/重点监测对象", "Registered or monitored poverty")
* insert Code(low-income, "低保", "Minimum living allowance")
* insert Code(destitute, [["特困(五保)"]], "Destitute")
* insert Code(special-family, "计生特殊家庭", "Special families of birth planning")
* insert Code(only-child, "独生子女户", "One-child household")
* insert Code(only-daughter, "独女户", "One-daughter household")
* insert Code(two-daughters, "双女户", "Two-daughter household")
* insert Code(poor, "贫困户", "Poor household")
* insert Code(other, "其他", "Other")

CodeSystem: ServiceItemCS
Id: service-item
Title: "服务项目"
Description: "Items of the contract service; 1 to 14 are the fulfilment types in use, the others extend them."
* insert Complete
* insert Code(1, "居民健康档案", "Health record")
* insert Code(2, "健康教育", "Health education")
* insert Code(3, "健康指导", "Health guidance")
* insert Code(4, "定期随访", "Regular follow-up")
* insert Code(5, "健康咨询", "Health consultation")
* insert Code(6, "预防接种", "Vaccination")
* insert Code(7, [["中医健康指导(0–36月)"]], [["TCM guidance, 0 to 36 months"]])
* insert Code(8, "孕期保健", "Antenatal care")
* insert Code(9, "产后访视", "Postnatal visit")
* insert Code(10, "中医体质辨识", "TCM constitution")
* insert Code(11, "中医药保健指导", "TCM health guidance")
* insert Code(12, "健康体检", "Check-up")
* insert Code(13, "用药指导", "Medication guidance")
* insert Code(14, "公共服务", "Public service")
* insert Code(15, "上门服务", "Home visit")
* insert Code(16, "优先转诊", "Priority referral")
* insert Code(17, "优先预约", "Priority appointment")
* insert Code(18, "长期处方", "Long prescription")
* insert Code(19, "药品配送", "Drug delivery")
* insert Code(20, "康复指导", "Rehabilitation guidance")
* insert Code(21, "心理关怀", "Psychological care")
* insert Code(22, "远程会诊", "Remote consultation")

CodeSystem: ServicePackageCS
Id: service-package
Title: "服务包"
Description: "Service packages; organisations add their own under their own system."
* insert Complete
* insert Code(sanji, "三基包", "Basic package")
* insert Code(jiuzhi, "救治包", "Treatment package")
* insert Code(manbing, "慢病包", "Chronic-disease package")
* insert Code(doudi, "兜底包", "Safety-net package")
* insert Code(texu, "特需包", "Special package")
* insert Code(basic, "基本服务组合", "Basic service combination")
* insert Code(care-discount, "诊疗优惠组合", "Discounted-care combination")
* insert Code(health-management, "健康管理组合", "Health-management combination")

CodeSystem: PackageTierCS
Id: package-tier
Title: "服务包层级"
Description: "Tier of a service package."
* insert Complete
* insert Code(base, "基础包", "Base")
* insert Code(personal, "个性化包", "Personal")
* insert Code(primary, "初级包", "Primary")
* insert Code(intermediate, "中级包", "Intermediate")
* insert Code(advanced, "高级包", "Advanced")
* insert Code(private, "私人定制包", "Private")

CodeSystem: FundingSourceCS
Id: funding-source
Title: "资金来源"
Description: "Who pays a part of the contract fee."
* insert Complete
* insert Code(insurance, "医保基金", "Health insurance")
* insert Code(public-health, "基本公卫经费", "Basic public-health funds")
* insert Code(self, "个人自付", "Self-pay")
* insert Code(government, "财政补助", "Government")
* insert Code(charity, "慈善", "Charity")
* insert Code(employer-waiver, "单位减免", "Waiver by the institution")
* insert Code(subsidy, "其他补贴", "Other subsidy")

CodeSystem: RequestCategoryCS
Id: request-category
Title: "服务申请类别"
Description: "Category of a service request of the contract service."
* insert Complete
* insert Code(up-referral, "上转", "Up-referral")
* insert Code(down-referral, "下转", "Down-referral")
* insert Code(lateral-referral, "平转", "Lateral referral")
* insert Code(home-visit, "上门服务", "Home visit")
* insert Code(remote-consult, "远程会诊", "Remote consultation")
* insert Code(remote-diagnosis, "远程诊断", "Remote diagnosis")
* insert Code(drug-delivery, "药品配送", "Drug delivery")
* insert Code(screening, "筛查", "Screening")

CodeSystem: ReferralTypeCS
Id: referral-type
Title: "转诊类型"
Description: "What a referral asks for."
* insert Complete
* insert Code(outpatient, "门诊", "Outpatient")
* insert Code(exam, "检查", "Examination")
* insert Code(inpatient, "住院", "Inpatient")
* insert Code(rehab, "康复", "Rehabilitation")
* insert Code(surgery, "手术", "Surgery")
* insert Code(emergency, "急诊", "Emergency")

CodeSystem: TaskCodeCS
Id: task-code
Title: "任务代码"
Description: "What a task asks for; the codes of service-item may be used beside these."
* insert Complete
* insert Code(confirm-contract, "确认签约", "Confirm a contract")
* insert Code(verify-abnormal, "核实异常", "Verify an abnormal reading")
* insert Code(screening, "筛查", "Screening")
* insert Code(up-referral, "上转", "Up-referral")
* insert Code(down-referral, "下转", "Down-referral")
* insert Code(lateral-referral, "平转", "Lateral referral")
* insert Code(dispatch-ambulance, "派出救护车", "Dispatch an ambulance")
* insert Code(dispatch, "调度", "Dispatch")
* insert Code(drug-delivery, "药品配送", "Drug delivery")
* insert Code(household-survey, "入户摸排", "Household survey")
* insert Code(qc-review, "质控复核", "Quality review")
* insert Code(invite-to-sign, "邀请签约", "Invite to sign")
* insert Code(rehab-guidance, "康复指导", "Rehabilitation guidance")
* insert Code(medication-review, "用药核查", "Medication review")
* insert Code(follow-up, "随访", "Follow-up")

CodeSystem: BusinessStatusCS
Id: business-status
Title: "转诊业务状态"
Description: "Milestones of a referral, Task.businessStatus."
* insert Complete
* insert Code(draft, "编辑中", "Draft")
* insert Code(submitted, "待接收", "Submitted")
* insert Code(accepted, "待就诊", "Accepted")
* insert Code(rejected, "拒绝", "Rejected")
* insert Code(resources-reserved, "资源已预留", "Resources reserved")
* insert Code(patient-arrived, "已到诊", "Patient arrived")
* insert Code(admitted, "已入院", "Admitted")
* insert Code(treated, "已治疗", "Treated")
* insert Code(discharged, "已出院", "Discharged")
* insert Code(returned, "已回转", "Returned")
* insert Code(withdrawn, "已撤回", "Withdrawn")
* insert Code(expired, "超时", "Expired")

CodeSystem: RejectReasonCS
Id: reject-reason
Title: "拒绝接收原因"
Description: "Why a referral was rejected: the first four by a hospital, the last three by the grassroots."
* insert Complete
* insert Code(no-bed, "无床位", "No bed")
* insert Code(no-specialty, "无相应专科", "No such specialty")
* insert Code(wrong-indication, "不符合转诊指征", "Wrong indication")
* insert Code(incomplete-data, "资料不全", "Incomplete data")
* insert Code(equipment, "设备不足", "Equipment missing")
* insert Code(drug, "药品不足", "Drug missing")
* insert Code(skill, "能力不足", "Skill missing")

CodeSystem: GlucoseTimingCS
Id: glucose-timing
Title: "血糖测量时段"
Description: "When blood glucose was measured."
* insert Complete
* insert Code(fasting, "空腹", "Fasting")
* insert Code(after-breakfast, "早餐后", "After breakfast")
* insert Code(before-lunch, "午餐前", "Before lunch")
* insert Code(after-lunch, "午餐后", "After lunch")
* insert Code(before-dinner, "晚餐前", "Before dinner")
* insert Code(after-dinner, "晚餐后", "After dinner")
* insert Code(bedtime, "睡前", "Bedtime")
* insert Code(early-morning, "凌晨", "Early morning")
* insert Code(random, "随机", "Random")

CodeSystem: ControlStatusCS
Id: control-status
Title: "控制情况"
Description: "Class of a chronic-disease follow-up."
* insert Complete
* insert Code(satisfied, "控制满意", "Satisfactory")
* insert Code(unsatisfied, "控制不满意", "Unsatisfactory")
* insert Code(adr, "不良反应", "Adverse reaction")
* insert Code(complication, "并发症", "Complication")

CodeSystem: FollowUpWayCS
Id: follow-up-way
Title: "随访方式"
Description: "How a follow-up took place."
* insert Complete
* insert Code(outpatient, "门诊", "Outpatient")
* insert Code(home, "家庭", "Home")
* insert Code(phone, "电话", "Telephone")
* insert Code(group, "集体", "Group")
* insert Code(video, "视频", "Video")

CodeSystem: ResidenceTypeCS
Id: residence-type
Title: "常住类型"
Description: "Registered residence or not."
* insert Complete
* insert Code(registered, "户籍", "Registered")
* insert Code(non-registered, "非户籍", "Not registered")

CodeSystem: PayStatusCS
Id: pay-status
Title: "缴费状态"
Description: "Whether the contract fee has been paid."
* insert Complete
* insert Code(unpaid, "未缴费", "Unpaid")
* insert Code(paid, "已缴费", "Paid")
* insert Code(registered, "已登记", "Registered")

CodeSystem: BenefitCS
Id: benefit
Title: "签约优惠"
Description: "What the contract gives for a service."
* insert Complete
* insert Code(dedicated, "专", "Dedicated")
* insert Code(free, "免", "Free")
* insert Code(subsidy, "补", "Subsidised")
* insert Code(discount, "惠", "Discounted")

CodeSystem: EpisodeTypeCS
Id: episode-type
Title: "服务周期类型"
Description: "Kind of an EpisodeOfCare."
* insert Complete
* insert Code(family-doctor-contract, "家庭医生签约", "Family-doctor contract")

CodeSystem: EncounterTypeCS
Id: encounter-type
Title: "服务接触类型"
Description: "Kind of an Encounter."
* insert Complete
* insert Code(htn-followup, "高血压随访", "Hypertension follow-up")
* insert Code(dm-followup, "糖尿病随访", "Diabetes follow-up")
* insert Code(checkup, "健康体检", "Check-up")
* insert Code(case-discussion, "病例讨论", "Case discussion")
* insert Code(joint-rescue, "联合抢救", "Joint rescue")

CodeSystem: GroupTypeCS
Id: group-type
Title: "人群分组类型"
Description: "Kind of a Group."
* insert Complete
* insert Code(household, "家庭户", "Household")
* insert Code(grid, "网格", "Grid")
* insert Code(self-mgmt-group, "自我管理小组", "Self-management group")
* insert Code(team-panel, "团队签约居民", "Panel of a team")

CodeSystem: LifestyleCS
Id: lifestyle
Title: "生活方式观察项"
Description: "Lifestyle items of the follow-up forms that LOINC has no agreed code for."
* insert Complete
* insert Code(smoking, "日吸烟量", "Cigarettes a day")
* insert Code(alcohol, "日饮酒量", "Alcohol a day")
* insert Code(exercise-frequency, "每周运动次数", "Times of exercise a week")
* insert Code(exercise-duration, "每次运动时间", "Minutes each time")
* insert Code(exercise, "运动", "Exercise")
* insert Code(salt, "摄盐情况", "Salt intake")

CodeSystem: SaltLevelCS
Id: salt-level
Title: "摄盐程度"
Description: "Grade of salt intake."
* insert Complete
* insert Code(light, "轻", "Light")
* insert Code(medium, "中", "Medium")
* insert Code(heavy, "重", "Heavy")

CodeSystem: PartnerLevelCS
Id: partner-level
Title: "合作医院层级"
Description: "Level of a partner hospital of a 1+1+1 contract."
* insert Complete
* insert Code(secondary, "二级", "Secondary")
* insert Code(tertiary, "三级", "Tertiary")

CodeSystem: ArchiveStateCS
Id: archive-state
Title: "健康档案状态"
Description: "State of a health record."
* insert Complete
* insert Code(active, "正常", "Active")
* insert Code(cancelled, "已注销", "Cancelled")

CodeSystem: ResourceTypeCS
Id: resource-type
Title: "预留资源类型"
Description: "Kind of resource reserved for a referral."
* insert Complete
* insert Code(exam, "检查", "Examination")
* insert Code(bed, "床位", "Bed")
* insert Code(ambulance, "救护车", "Ambulance")
* insert Code(number, "号源", "Appointment number")
* insert Code(operating-room, "手术室", "Operating room")

CodeSystem: ResourceStateCS
Id: resource-state
Title: "预留资源状态"
Description: "State of a reserved resource."
* insert Complete
* insert Code(requested, "已申请", "Requested")
* insert Code(held, "已占用", "Held")
* insert Code(confirmed, "已确认", "Confirmed")
* insert Code(released, "已释放", "Released")
* insert Code(failed, "失败", "Failed")
