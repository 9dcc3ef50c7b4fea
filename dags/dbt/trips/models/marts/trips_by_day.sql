select
    cast(picked_up_at as date) as day,
    count(*) as trips,
    round(avg(minutes), 1) as mean_minutes,
    sum(amount) as revenue
from {{ ref('stg_trips') }}
group by day
order by day
