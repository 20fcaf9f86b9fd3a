select orders.order_id, orders.customer_id, countries.country, orders.amount
from {{ ref('stg_orders') }} as orders
join {{ ref('stg_customers') }} as customers using (customer_id)
left join {{ ref('countries') }} as countries on countries.code = customers.country_code
