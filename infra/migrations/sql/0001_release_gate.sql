-- The gate: what makes it impossible, not just forbidden, to publish what was not judged right.
--
-- Refusals carry their own SQLSTATE: YH001 no passed verdict, YH002 rows are not the judged ones, YH003 content
-- was withdrawn, YH004 sealed, YH005 move not allowed, YH006 candidate not built, YH007 older than what is up. Their
-- messages are for users.
-- The limit: whoever owns the tables (the platform's own login, a superuser) can drop any trigger. The publisher
-- role cannot.

-- The content hash -------------------------------------------------------------------------------------------

-- sha256 over a line a table: name, row count, sha256 over the sorted md5 of its rows. A row's bytes are its
-- columns as text, in the order and with the types of the release tables, whatever types dbt gave them, so that
-- candidate rows and their stamped copies have the same bytes; every setting that shapes text is pinned. Record text,
-- not jsonb: as unambiguous (null and '' differ, separators are quoted) and 3.6 times as fast. Sorted as uuid: faster
-- than text and free of collations.
create function release.content_hash(source_schema text, source_release_no bigint)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set extra_float_digits = 1
set work_mem = '64MB'
as $$
declare
    the_table text;
    the_columns text;
    the_line text;
    the_lines text := '';
begin
    foreach the_table in array
        array['person', 'household', 'household_member', 'source_record', 'id_history']
    loop
        if to_regclass(format('%I.%I', source_schema, the_table)) is null then
            raise exception using errcode = 'YH006',
                message = format('%s.%s 还不存在，请先运行一次刷新生成候选数据。', source_schema, the_table);
        end if;
        select string_agg(
            format('%I::%s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum
        )
        into strict the_columns
        from pg_attribute as a
        where
            a.attrelid = format('release.%I', the_table)::regclass
            and a.attnum > 0 and not a.attisdropped and a.attname <> 'release_no';
        execute format(
            $query$
            select format(
                '%%s %%s %%s;', %L::text, count(*),
                encode(sha256(convert_to(
                    coalesce(string_agg(r.row_md5::text, '' order by r.row_md5), ''), 'UTF8')), 'hex')
            )
            from (select md5(row(%s)::text)::uuid as row_md5 from %I.%I %s) as r
            $query$,
            the_table, the_columns, source_schema, the_table,
            case when source_release_no is not null then format('where release_no = %s', source_release_no) end
        )
        into strict the_line;
        the_lines := the_lines || the_line;
    end loop;
    return encode(sha256(convert_to(the_lines, 'UTF8')), 'hex');
end
$$;

create function release.candidate_hash() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select release.content_hash('candidate', null) $$;

create function release.release_hash(the_release_no bigint) returns text
language sql stable strict
set search_path = pg_catalog, pg_temp
as $$ select release.content_hash('release', the_release_no) $$;

-- What may be done -------------------------------------------------------------------------------------------

-- A release is withdrawn when the pointer was taken back over it and has not been put on it again since.
create function release.is_withdrawn(the_release_no bigint) returns boolean
language sql stable strict
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from release.pointer_history as back
        where
            back.move = 'roll_back' and back.to_release_no < the_release_no
            and the_release_no <= back.from_release_no
            and not exists (
                select from release.pointer_history as later
                where later.history_no > back.history_no and later.to_release_no = the_release_no
            )
    )
$$;

-- Releases one can go back to, nearest first.
create function release.rollback_targets() returns setof bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select r.release_no
    from release.release as r
    where
        r.release_no < (select p.release_no from release.pointer as p)
        and r.published_at is not null and r.pruned_at is null
        and not release.is_withdrawn(r.release_no)
    order by r.release_no desc
$$;

create function release.check_stamped_rows(the_release_no bigint, the_content_hash text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if release.release_hash(the_release_no) is distinct from the_content_hash then
        raise exception using errcode = 'YH002',
            message = format('第 %s 期的数据与判定过的内容不一致，数据库拒绝发布。', the_release_no);
    end if;
end
$$;

create function release.gate_release() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    the_verdict quality.verdict;
begin
    perform from release.pointer for update;
    select v.* into the_verdict from quality.verdict as v where v.verdict_id = new.verdict_id;
    if the_verdict.status is distinct from 'passed' or the_verdict.content_hash is distinct from new.content_hash
    then
        raise exception using errcode = 'YH001', message = '这份内容没有通过准确率判定，数据库拒绝发布。';
    end if;
    -- More audit evidence may have come since, and then the later word counts, for each target.
    if exists (
        select from quality.verdict as v
        where
            v.content_hash = new.content_hash and v.status <> 'passed'
            and not exists (
                select from quality.verdict as later
                where
                    later.content_hash = v.content_hash and later.target_code = v.target_code
                    and (later.judged_at, later.verdict_id) > (v.judged_at, v.verdict_id)
            )
    ) then
        raise exception using errcode = 'YH001',
            message = '对这份内容最近一次准确率判定没有通过，数据库拒绝发布。';
    end if;
    if exists (
        select from release.release as r
        where r.content_hash = new.content_hash and release.is_withdrawn(r.release_no)
    ) then
        raise exception using errcode = 'YH003',
            message = '这份内容已被人工撤回；须由人工恢复，或等新的内容到来。';
    end if;
    if new.release_no <= (select max(r.release_no) from release.release as r) then
        raise exception using errcode = 'YH005',
            message = format('期号 %s 不比已有的期号大，数据库拒绝发布。', new.release_no);
    end if;
    perform release.check_stamped_rows(new.release_no, new.content_hash);
    -- Copied here and nowhere else: a release can state no other accuracy than its verdict's.
    new.as_of := the_verdict.as_of;
    new.target_code := the_verdict.target_code;
    new.target_ratio := the_verdict.target_ratio;
    new.audited_household_count := the_verdict.audited_household_count;
    new.audited_field_count := the_verdict.audited_field_count;
    new.correct_field_count := the_verdict.correct_field_count;
    new.accuracy_ratio := the_verdict.accuracy_ratio;
    new.lower_bound_ratio := the_verdict.lower_bound_ratio;
    new.interval_lower_ratio := the_verdict.interval_lower_ratio;
    new.upper_bound_ratio := the_verdict.upper_bound_ratio;
    new.created_at := clock_timestamp();
    new.published_at := null;
    new.pruned_at := null;
    return new;
end
$$;
create trigger gate_release before insert on release.release
for each row execute function release.gate_release();

create function release.gate_pointer() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    the_release release.release;
begin
    select r.* into the_release from release.release as r where r.release_no = new.release_no;
    if the_release.release_no is null
        or not new.is_the_only_row
        or new.version is distinct from old.version + 1
        or new.release_no is not distinct from old.release_no
        or the_release.pruned_at is not null
        or (new.release_no < old.release_no and the_release.published_at is null)
    then
        raise exception using errcode = 'YH005',
            message = format('发布指针不能移到第 %s 期：该期不存在、已清理、从未发布或已是当前期，或指针已被他人移动。',
                coalesce(new.release_no::text, '（空）'));
    end if;
    if not exists (
        select from quality.verdict as v
        where
            v.verdict_id = the_release.verdict_id and v.status = 'passed'
            and v.content_hash = the_release.content_hash
    ) then
        raise exception using errcode = 'YH001',
            message = format('第 %s 期没有通过的准确率判定，数据库拒绝发布。', new.release_no);
    end if;
    -- Going back is a person's decision, never the effect of a refresh for an earlier day.
    if the_release.published_at is null and the_release.as_of < (
        select r.as_of from release.release as r where r.release_no = old.release_no
    ) then
        raise exception using errcode = 'YH007',
            message = format('第 %s 期的业务日期早于当前发布版，数据库拒绝发布；要回到以前的内容，请用回退。',
                new.release_no);
    end if;
    perform release.check_stamped_rows(new.release_no, the_release.content_hash);
    new.moved_at := clock_timestamp();
    return new;
end
$$;
create trigger gate_pointer before update on release.pointer
for each row execute function release.gate_pointer();

-- Runs as the owner: the publisher can move the pointer only with a trace, and cannot write the trace itself.
create function release.log_pointer_move() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into release.pointer_history (moved_at, from_release_no, to_release_no, move, moved_by, reason)
    select
        new.moved_at, old.release_no, new.release_no,
        case
            when new.release_no < old.release_no then 'roll_back'
            when r.published_at is not null then 'reinstate'
            else 'publish'
        end,
        new.moved_by, new.reason
    from release.release as r
    where r.release_no = new.release_no;
    update release.release set published_at = new.moved_at
    where release_no = new.release_no and published_at is null;
    return null;
end
$$;
create trigger log_pointer_move after update on release.pointer
for each row execute function release.log_pointer_move();

create function release.gate_archive() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from release.pointer for update;
    if not exists (
        select from release.release as r
        where
            r.release_no = new.release_no and r.published_at is not null and r.pruned_at is null
            and r.as_of >= new.quarter_start
    ) then
        raise exception using errcode = 'YH005',
            message = format('第 %s 期不能作为 %s 起这一季度的档案：该期未发布、已清理，或数据日期早于该季度。',
                new.release_no, new.quarter_start);
    end if;
    return new;
end
$$;
create trigger gate_archive before insert on release.archive
for each row execute function release.gate_archive();

-- What may never be done -------------------------------------------------------------------------------------

create function release.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using errcode = 'YH004',
        message = format('release.%s 的记录不可更改或删除。', tg_table_name);
end
$$;
create trigger refuse_change before delete or truncate on release.release
for each statement execute function release.refuse_change();
create trigger refuse_change before insert or delete or truncate on release.pointer
for each statement execute function release.refuse_change();
create trigger refuse_change before update or delete or truncate on release.pointer_history
for each statement execute function release.refuse_change();
create trigger refuse_change before update or delete or truncate on release.archive
for each statement execute function release.refuse_change();

create function release.guard_release() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_jsonb(new) - 'published_at' - 'pruned_at' <> to_jsonb(old) - 'published_at' - 'pruned_at'
        or (new.published_at is distinct from old.published_at and (
            old.published_at is not null
            or not exists (select from release.pointer as p where p.release_no = old.release_no)
        ))
        or (new.pruned_at is distinct from old.pruned_at and (
            old.pruned_at is not null
            or exists (select from release.pointer as p where p.release_no <= old.release_no)
            or exists (select from release.archive as a where a.release_no = old.release_no)
            or old.release_no = (select t from release.rollback_targets() as t limit 1)
        ))
    then
        raise exception using errcode = 'YH004',
            message = format('第 %s 期已封存，不可更改；当前期、可回退的一期和季度档案不可清理。', old.release_no);
    end if;
    return new;
end
$$;
create trigger guard_release before update on release.release
for each row execute function release.guard_release();

create function release.lock_pointer() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from release.pointer for update;
    return null;
end
$$;

create function release.refuse_sealed_rows() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select from release.release as r
        where
            r.release_no in (select c.release_no from changed_rows as c)
            and (tg_op = 'INSERT' or r.pruned_at is null)
    ) then
        raise exception using errcode = 'YH004',
            message = format('release.%s 里已成为一期的数据不可增删。', tg_table_name);
    end if;
    return null;
end
$$;

-- Every trigger of this schema fires even under session_replication_role = replica.
do $$
declare
    the_table text;
    the_trigger record;
begin
    foreach the_table in array
        array['person', 'household', 'household_member', 'source_record', 'id_history']
    loop
        execute format(
            $ddl$
            create trigger lock_pointer before insert on release.%1$I
            for each statement execute function release.lock_pointer();
            create trigger refuse_late_rows after insert on release.%1$I
            referencing new table as changed_rows
            for each statement execute function release.refuse_sealed_rows();
            create trigger refuse_loss after delete on release.%1$I
            referencing old table as changed_rows
            for each statement execute function release.refuse_sealed_rows();
            create trigger refuse_change before update or truncate on release.%1$I
            for each statement execute function release.refuse_change();
            $ddl$, the_table
        );
    end loop;
    for the_trigger in
        select t.tgname, t.tgrelid::regclass as on_table
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where c.relnamespace = 'release'::regnamespace and not t.tgisinternal
    loop
        execute format('alter table %s enable always trigger %I', the_trigger.on_table, the_trigger.tgname);
    end loop;
end
$$;

-- Deletes the rows of old releases; the line in release.release stays, with its hash and figures.
-- Runs as the owner because the publisher itself may delete nothing.
create function release.prune(keep integer) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    the_release_no bigint;
begin
    if keep is null or keep < 1 then
        raise exception using errcode = 'YH005', message = '至少要保留一期可回退的发布。';
    end if;
    perform from release.pointer for update;
    for the_release_no in
        select r.release_no
        from release.release as r
        where
            r.pruned_at is null
            and r.release_no < (
                select min(t) from (select t from release.rollback_targets() as t limit keep) as kept
            )
            and not exists (select from release.archive as a where a.release_no = r.release_no)
        order by r.release_no
    loop
        update release.release set pruned_at = clock_timestamp() where release_no = the_release_no;
        delete from release.person where release_no = the_release_no;
        delete from release.household where release_no = the_release_no;
        delete from release.household_member where release_no = the_release_no;
        delete from release.source_record where release_no = the_release_no;
        delete from release.id_history where release_no = the_release_no;
        return next the_release_no;
    end loop;
end
$$;
