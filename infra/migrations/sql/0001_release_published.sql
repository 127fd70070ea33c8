-- What others see of a release: Chinese comments, the views of the current release, and who may do what.

comment on schema release is '历次发布：按期号封存的数据、发布指针、季度档案（仅供平台内部使用）';
comment on schema published is '当前发布：各部门查询的接口，每张视图只含当前一期';

comment on table release.person is '人员：每行一名居民';
comment on column release.person.release_no is '期号';
comment on column release.person.person_id is '人员编号，一经发布永不改作他用';
comment on column release.person.person_name is '姓名';
comment on column release.person.sex_code is '性别代码（GB/T 2261.1）';
comment on column release.person.sex_name is '性别';
comment on column release.person.birth_date is '出生日期';
comment on column release.person.id_no_masked is '身份证件号码（遮盖，只显示地区码和校验码）';
comment on column release.person.id_no_kind is '身份证件号码状态：valid 有效，checksum_wrong 校验码错，masked 来源已遮盖，damaged 残缺，other_document 其他证件，missing 缺失';
comment on column release.person.phone_masked is '联系电话（遮盖）';
comment on column release.person.household_id is '现居住家庭编号；没有居住家庭时为空';
comment on column release.person.relation_code is '与户主关系代码（GB/T 4761）';
comment on column release.person.relation_name is '与户主关系';
comment on column release.person.is_head is '是否为现居住家庭的户主';
comment on column release.person.is_low_income is '是否在最低生活保障名单中';
comment on column release.person.is_disabled is '是否为持证残疾人';
comment on column release.person.disability_category_code is '残疾类别代码（GB/T 26341）';
comment on column release.person.disability_level_code is '残疾等级代码，1 为最重';
comment on column release.person.has_family_doctor is '是否已签约家庭医生';
comment on column release.person.list_count is '出现在几种清单中';
comment on column release.person.source_record_count is '归到此人名下的来源记录行数';
comment on column release.person.valid_from is '现状起始日期';
comment on column release.person.valid_to is '现状终止日期（不含当日）；空为至今有效';

comment on table release.household is '居住家庭：每行一户，即同一扇门后共同居住的人';
comment on column release.household.release_no is '期号';
comment on column release.household.household_id is '家庭编号，一经发布永不改作他用';
comment on column release.household.head_person_id is '户主的人员编号';
comment on column release.household.head_name is '户主姓名';
comment on column release.household.address is '居住地址';
comment on column release.household.address_key is '门牌键：小区|幢|单元|室；地址不足以定位到门时为空';
comment on column release.household.community_name is '社区';
comment on column release.household.grid_name is '网格';
comment on column release.household.source_household_no is '家庭信息登记表中的家庭编号';
comment on column release.household.member_count is '现有成员人数';
comment on column release.household.is_low_income is '是否低保家庭';
comment on column release.household.has_disabled_member is '是否有持证残疾成员';
comment on column release.household.is_confirmed is '是否经社区登记或入户走访确认';
comment on column release.household.last_visited_date is '最近一次走访日期';
comment on column release.household.valid_from is '家庭起始日期';
comment on column release.household.valid_to is '家庭终止日期（不含当日）；空为至今有效';

comment on table release.household_member is '家庭成员：每行为一人在一户居住的一段时间';
comment on column release.household_member.release_no is '期号';
comment on column release.household_member.household_id is '家庭编号';
comment on column release.household_member.person_id is '人员编号';
comment on column release.household_member.relation_code is '与户主关系代码（GB/T 4761）';
comment on column release.household_member.relation_name is '与户主关系';
comment on column release.household_member.is_head is '这段时间内是否为户主';
comment on column release.household_member.valid_from is '居住起始日期';
comment on column release.household_member.valid_to is '居住终止日期（不含当日）；空为至今居住';

comment on table release.source_record is '来源对照：每行为一条已接收的来源记录及其归属';
comment on column release.source_record.release_no is '期号';
comment on column release.source_record.list_code is '清单代码';
comment on column release.source_record.delivery_id is '交付编号';
comment on column release.source_record.file_name is '文件名';
comment on column release.source_record.sheet_name is '工作表名；文本文件和只有一张表的工作簿为空';
comment on column release.source_record.row_number is '行号，按人在文件或工作表中数的行，表头计入';
comment on column release.source_record.person_id is '归属的人员编号；走访记录为空';
comment on column release.source_record.household_id is '人员记录为此人现居住家庭，走访记录为被走访家庭';
comment on column release.source_record.link_rule is '认定归属的规则';
comment on column release.source_record.link_probability is '归属的把握，0 到 1';

comment on table release.id_history is '编号沿革：每行为一个编号的一次变化，任何发布过的编号都可由此查到去向';
comment on column release.id_history.release_no is '期号';
comment on column release.id_history.event_no is '变化序号';
comment on column release.id_history.entity is '对象：person 人员，household 家庭';
comment on column release.id_history.entity_id is '发生变化的编号';
comment on column release.id_history.event is '变化：minted 新编，merged_into 并入，split_from 拆自，retired 停用，reinstated 恢复';
comment on column release.id_history.other_id is '并入或拆自的另一编号';
comment on column release.id_history.as_of is '变化所属的数据日期';
comment on column release.id_history.reason is '变化原因';

comment on table release.release is '发布：每行一期';
comment on column release.release.release_no is '期号，逐期递增';
comment on column release.release.as_of is '数据日期';
comment on column release.release.content_hash is '内容指纹：同样的内容得到同样的指纹';
comment on column release.release.verdict_id is '所依据的准确率判定';
comment on column release.release.target_code is '所适用的准确率指标';
comment on column release.release.target_ratio is '准确率要求，0 到 1';
comment on column release.release.audited_household_count is '抽查核实的家庭数';
comment on column release.release.audited_field_count is '抽查核实的信息项数';
comment on column release.release.correct_field_count is '其中正确的信息项数';
comment on column release.release.accuracy_ratio is '准确率估计，0 到 1';
comment on column release.release.lower_bound_ratio is '准确率单侧置信下限，发布以此为准';
comment on column release.release.interval_lower_ratio is '准确率双侧置信区间下端';
comment on column release.release.upper_bound_ratio is '准确率双侧置信区间上端';
comment on column release.release.summary is '各表行数及与上一期的差异';
comment on column release.release.created_at is '封存时间';
comment on column release.release.published_at is '首次发布时间';
comment on column release.release.pruned_at is '明细清理时间；空为明细仍在';

comment on table release.pointer is '发布指针：唯一的一行，指明当前是哪一期；移动它就是发布或回退';
comment on column release.pointer.is_the_only_row is '恒为真，保证只有一行';
comment on column release.pointer.release_no is '当前期号；空为尚无发布';
comment on column release.pointer.version is '移动次数，移动前须与读到的一致';
comment on column release.pointer.moved_at is '移动时间';
comment on column release.pointer.moved_by is '移动人';
comment on column release.pointer.reason is '移动原因';

comment on table release.pointer_history is '发布指针的移动记录，只增不改';
comment on column release.pointer_history.history_no is '序号';
comment on column release.pointer_history.moved_at is '移动时间';
comment on column release.pointer_history.from_release_no is '原期号';
comment on column release.pointer_history.to_release_no is '新期号';
comment on column release.pointer_history.move is '移动：publish 发布，roll_back 回退，reinstate 恢复';
comment on column release.pointer_history.moved_by is '移动人';
comment on column release.pointer_history.reason is '移动原因';

comment on table release.archive is '季度档案：每行为一个季度冻结的一期，永久保留';
comment on column release.archive.quarter_start is '季度首日';
comment on column release.archive.release_no is '期号';
comment on column release.archive.frozen_at is '冻结时间';
comment on column release.archive.frozen_by is '冻结人';

-- The interface ----------------------------------------------------------------------------------------------

-- Pointer and rows are read by the same snapshot, so one statement, or one REPEATABLE READ transaction, sees one
-- release whole. security_barrier: a reader's own functions never meet rows of another release.
create view published.person with (security_barrier) as
select
    r.person_id, r.person_name, r.sex_code, r.sex_name, r.birth_date, r.id_no_masked, r.id_no_kind, r.phone_masked,
    r.household_id, r.relation_code, r.relation_name, r.is_head, r.is_low_income, r.is_disabled,
    r.disability_category_code, r.disability_level_code, r.has_family_doctor, r.list_count, r.source_record_count,
    r.valid_from, r.valid_to
from release.person as r
where r.release_no = (select p.release_no from release.pointer as p);

create view published.household with (security_barrier) as
select
    r.household_id, r.head_person_id, r.head_name, r.address, r.address_key, r.community_name, r.grid_name,
    r.source_household_no, r.member_count, r.is_low_income, r.has_disabled_member, r.is_confirmed,
    r.last_visited_date, r.valid_from, r.valid_to
from release.household as r
where r.release_no = (select p.release_no from release.pointer as p);

create view published.household_member with (security_barrier) as
select r.household_id, r.person_id, r.relation_code, r.relation_name, r.is_head, r.valid_from, r.valid_to
from release.household_member as r
where r.release_no = (select p.release_no from release.pointer as p);

create view published.source_record with (security_barrier) as
select
    r.list_code, r.delivery_id, r.file_name, r.sheet_name, r.row_number, r.person_id, r.household_id, r.link_rule,
    r.link_probability
from release.source_record as r
where r.release_no = (select p.release_no from release.pointer as p);

create view published.id_history with (security_barrier) as
select r.event_no, r.entity, r.entity_id, r.event, r.other_id, r.as_of, r.reason
from release.id_history as r
where r.release_no = (select p.release_no from release.pointer as p);

create view published.release with (security_barrier) as
select
    r.release_no, r.as_of, r.published_at, r.content_hash, r.target_code, r.target_ratio, r.audited_household_count,
    r.audited_field_count, r.correct_field_count, r.accuracy_ratio, r.lower_bound_ratio, r.interval_lower_ratio,
    r.upper_bound_ratio, r.summary
from release.release as r
where r.release_no = (select p.release_no from release.pointer as p);

-- The views carry the comments of the tables below them: written once, they cannot drift apart.
do $$
declare
    the_view record;
    the_column record;
begin
    for the_view in
        select c.oid, c.relname, obj_description(format('release.%I', c.relname)::regclass, 'pg_class') as words
        from pg_class as c
        where c.relnamespace = 'published'::regnamespace and c.relkind = 'v'
    loop
        execute format('comment on view published.%I is %L', the_view.relname, the_view.words);
        for the_column in
            select own.attname, col_description(below.attrelid, below.attnum) as words
            from pg_attribute as own
            inner join pg_attribute as below
                on below.attrelid = format('release.%I', the_view.relname)::regclass and below.attname = own.attname
            where own.attrelid = the_view.oid and own.attnum > 0
        loop
            execute format('comment on column published.%I.%I is %L',
                the_view.relname, the_column.attname, the_column.words);
        end loop;
    end loop;
end
$$;

-- Rights -----------------------------------------------------------------------------------------------------

revoke all on schema release, published, candidate from public;
revoke all on all tables in schema release, published, candidate from public;
revoke all on all functions in schema release from public;

grant usage on schema candidate, quality, release to yihu_publisher;
grant select on all tables in schema candidate to yihu_publisher;
-- dbt drops and makes the tables anew on every build, as the role that runs this file.
alter default privileges in schema candidate grant select on tables to yihu_publisher;
grant select on quality.verdict to yihu_publisher;
grant select on all tables in schema release to yihu_publisher;
grant insert on
release.person, release.household, release.household_member, release.source_record, release.id_history,
release.archive to yihu_publisher;
grant insert (release_no, content_hash, verdict_id, summary) on release.release to yihu_publisher;
grant update (release_no, version, moved_by, reason) on release.pointer to yihu_publisher;
grant execute on function
release.content_hash(text, bigint), release.candidate_hash(), release.release_hash(bigint),
release.is_withdrawn(bigint), release.rollback_targets(), release.check_stamped_rows(bigint, text),
release.prune(integer) to yihu_publisher;
