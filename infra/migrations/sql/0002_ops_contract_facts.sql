-- What a contract says that the expectations on a delivery are made from (quality).
alter table ops.contract add column business_key text [] not null default '{}';
comment on column ops.contract.business_key is '合起来认出一行的各栏；同一次来件中应不重复';

alter table ops.contract_column
add column minimum integer,
add column maximum integer,
add column is_past_only boolean not null default false;
comment on column ops.contract_column.minimum is '整数栏的最小值，没有限定则空';
comment on column ops.contract_column.maximum is '整数栏的最大值，没有限定则空';
comment on column ops.contract_column.is_past_only is '日期不能晚于来件到达';
