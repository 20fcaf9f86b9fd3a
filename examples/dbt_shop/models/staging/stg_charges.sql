select charge_id, order_id, paid from {{ source('payments', 'charges') }}
