-- Trips that took place, with the names and types that the marts use.
select
    pickup_location_id as zone,
    cast(pickup_datetime as timestamp) as picked_up_at,
    date_diff('second', cast(pickup_datetime as timestamp), cast(dropoff_datetime as timestamp))
        / 60.0 as minutes,
    trip_distance as miles,
    cast(total_amount as decimal(10, 2)) as amount
from {{ source('airflow', 'trips') }}
where trip_distance > 0
