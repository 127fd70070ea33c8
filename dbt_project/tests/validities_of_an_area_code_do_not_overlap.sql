-- A code stands for one area at a time: on no day do two rows of it hold.
select earlier.code, earlier.valid_from
from {{ ref('admin_division') }} as earlier
inner join {{ ref('admin_division') }} as later
    on earlier.code = later.code and earlier.valid_from <= later.valid_from and earlier.ctid <> later.ctid
where earlier.valid_to is null or earlier.valid_to > later.valid_from
union all
select code, valid_from
from {{ ref('admin_division') }}
where valid_to <= valid_from
