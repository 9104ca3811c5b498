"""Questions on who is denied that whole books answer with no row: debts, words and the deny list.

A debt says whether it denies its rider, debts and suspensions make words to the gateway in the same
transaction, and the gateway makes entries of the list of those words some time later.
"""

from __future__ import annotations

from transitpay.charging.lifecycle import UNPAID
from transitpay.charging.result_codes import DENIES_NOBODY
from transitpay.postgres.closing.money_books import Question

DENIAL_QUESTIONS = (
    Question(
        "a debt that denies its rider and should not, or does not and should",
        # Charge.denies_rider, asked of the rows.
        """
        select id from charge
        where denies_rider is distinct from (refused_code is not null and state = any($1::text[])
            and not refused_code = any($2::text[]))
        order by id limit 1000
        """,
        (sorted(map(str, UNPAID)), sorted(DENIES_NOBODY)),
    ),
    Question(
        "a rider who owes or is suspended and was not told to be denied, or is denied for nothing",
        """
        with barred as (
            select issuer, rider_id, true as so from charge where denies_rider
            union
            select issuer, rider_id, true from suspension where ended_at is null
        ), newest as (
            select distinct on (issuer, rider_id) issuer, rider_id, action from deny_request
            where action <> 'revoke' order by issuer, rider_id, id desc
        ), denied as (
            select issuer, rider_id, true as so from newest where action = 'deny'
        )
        select issuer || ' ' || rider_id
        from barred b full join denied d using (issuer, rider_id)
        where b.so is null or d.so is null
        order by 1 limit 1000
        """,
    ),
    Question(
        "an entry of the deny list that is not the newest word on its rider",
        # Words that the gateway has not applied yet are on their way.
        """
        with told as (
            select distinct on (r.issuer, r.rider_id) r.issuer, r.rider_id, r.id, r.action
            from deny_request r
            join deny_request_done d on d.request = r.id
            join issuer_number n on n.issuer = r.issuer
            where r.action <> 'revoke' and r.rider_id ~ '^[0-9a-f]{16}$'
            order by r.issuer, r.rider_id, r.id desc
        )
        select issuer || ' ' || rider_id
        from deny_entry e full join told t using (issuer, rider_id)
        where e.barred_request is distinct from t.id
            or (e.barred_serial is not null) <> (coalesce(t.action, '') = 'deny')
        order by 1 limit 1000
        """,
    ),
)
