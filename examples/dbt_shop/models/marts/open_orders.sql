select orders.order_id, orders.amount - coalesce(charges.paid, 0) as open
from {{ ref('orders') }} as orders
left join {{ ref('stg_charges') }} as charges using (order_id)
where orders.amount > coalesce(charges.paid, 0)
