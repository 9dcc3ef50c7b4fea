select
    zone,
    count(*) as trips,
    round(avg(miles), 2) as mean_miles,
    sum(amount) as revenue
from {{ ref('stg_trips') }}
group by zone
order by trips desc, zone
