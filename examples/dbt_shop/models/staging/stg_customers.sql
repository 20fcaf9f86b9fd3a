select customer_id, lower(country) as country_code from {{ source('shop', 'customers') }}
