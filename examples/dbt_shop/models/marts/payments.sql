select count(*) as charges, sum(paid) as paid from {{ ref('stg_charges') }}
