"""Times as people write them: the ticks of a cron expression, and the open time of a business calendar."""

from freshd.adapters.calendar.business import BusinessCalendar, business_calendar
from freshd.adapters.calendar.holiday import check_holidays
from freshd.adapters.calendar.open_ticks import open_ticks
from freshd.adapters.calendar.ticks import CronTicks, cron_ticks
from freshd.adapters.calendar.week import parse_closed, parse_days, parse_hours
from freshd.adapters.calendar.weekhours import weekhours_in
from freshd.adapters.calendar.zones import zone_named

__all__ = [
    "BusinessCalendar",
    "CronTicks",
    "business_calendar",
    "check_holidays",
    "cron_ticks",
    "open_ticks",
    "parse_closed",
    "parse_days",
    "parse_hours",
    "weekhours_in",
    "zone_named",
]
