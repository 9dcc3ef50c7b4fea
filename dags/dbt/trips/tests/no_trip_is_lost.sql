-- Every staged trip is counted in exactly one zone. dbt fails the test if this returns rows.
select staged.trips, counted.trips
from (select count(*) as trips from {{ ref('stg_trips') }}) as staged,
    (select sum(trips) as trips from {{ ref('trips_by_zone') }}) as counted
where staged.trips != counted.trips
