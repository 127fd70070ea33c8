select code_list, code
from {{ ref('list_code') }}
group by code_list, code
having count(*) > 1
