select country, count(*) as orders, sum(amount) as revenue from {{ ref('orders') }} group by country
