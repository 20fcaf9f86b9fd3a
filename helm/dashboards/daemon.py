"""freshd itself: is somebody leading, does the loop turn, does it read, understand, reach its services, and tell."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import words
from helm.dashboards.frame import Row, choice
from helm.dashboards.frame import dashboard as framed
from helm.dashboards.panels import Column, lines, number, rows

IT: Final = 'job=~"$job", instance=~"$instance"'
LOOP_STEPS: Final = ((None, words.FRESH), (30, words.WARN), (120, words.STALE))
LAG_STEPS: Final = ((None, words.FRESH), (1_000, words.WARN), (100_000, words.STALE))
YES: Final = {"0": ("no", words.STALE), "1": ("yes", words.FRESH)}
QUIET: Final = {"0": ("no", words.FRESH), "1": ("yes", words.WARN)}


def dashboard() -> Dashboard:
    """The dashboard."""
    jobs = "label_values(freshd_build_info, job)"
    instances = 'label_values(freshd_build_info{job=~"$job"}, instance)'
    return framed(
        words.DAEMON,
        "freshd / The daemon",
        "freshd itself: leader, loop, what it reads and cannot read, its services, its messages, its memory.",
        [
            Row(4, _numbers()),
            Row(8, [(12, _lag()), (12, _loop())]),
            Row(8, [(8, _events()), (8, _not_understood()), (8, _requests())]),
            Row(8, [(8, _services()), (8, _messages()), (8, _configuration())]),
            Row(8, [(8, _memory()), (8, _processor()), (8, _scrape())]),
        ],
        [
            choice("job", "Job", jobs, "Prometheus' job of freshd."),
            choice("instance", "Instance", instances, "Which of its processes."),
        ],
        since="now-6h",
    )


def _numbers() -> list[tuple[int, Any]]:
    return [
        (
            3,
            number(
                "Leader",
                "Processes that own the store and decide: one, and never none.",
                f"sum(freshd_leader{{{IT}}}) or vector(0)",
                "none",
                words.steps((None, words.STALE), (1, words.FRESH), (2, words.STALE)),
            ),
        ),
        (
            4,
            number(
                "Last turn of the loop",
                "How long ago. An idle daemon turns every few seconds.",
                f"time() - max(freshd_loop_last_timestamp_seconds{{{IT}}})",
                "s",
                words.steps(*LOOP_STEPS),
                nothing="no turn",
            ),
        ),
        (
            4,
            number(
                "Messages not read",
                "Messages of Kafka not read yet, of all topics.",
                f"sum(freshd_kafka_consumer_lag{{{IT}}})",
                "short",
                words.steps(*LAG_STEPS),
                nothing="no Kafka",
            ),
        ),
        (
            4,
            number(
                "Dead letters, 24 h",
                "Events of the last day that could not be decoded. `freshd deadletters` lists them.",
                f'sum(increase(freshd_events_total{{{IT}, outcome="dead_letter"}}[24h])) or vector(0)',
                "none",
                words.none_is_good(),
                decimals=0,
                link={"title": "The dead letters", "url": "${freshd}/api/deadletters", "targetBlank": True},
            ),
        ),
        (
            3,
            number(
                "Catching up",
                "Whether it still reads what was written before it started; it launches nothing meanwhile.",
                f"max(freshd_catching_up{{{IT}}})",
                "none",
                words.steps((None, words.FRESH), (1, words.WARN)),
                mappings=words.mapped(QUIET),
            ),
        ),
        (
            3,
            number(
                "Configuration taken",
                "Whether what the files say now is in force; if not, the log says why.",
                f"min(freshd_config_last_reload_successful{{{IT}}})",
                "none",
                words.steps((None, words.STALE), (1, words.FRESH)),
                mappings=words.mapped(YES),
                nothing="not reloaded",
            ),
        ),
        (
            3,
            number(
                "Version",
                "The version of freshd that runs.",
                f"count by (version) (freshd_build_info{{{IT}}})",
                "none",
                words.one("text"),
                legend="{{version}}",
                names=True,
            ),
        ),
    ]


def _lag() -> Any:
    return lines(
        "Messages not read",
        "Messages of each topic not read yet.",
        [(f"sum by (topic) (freshd_kafka_consumer_lag{{{IT}}})", "{{topic}}")],
        "short",
        thresholds=words.steps(*LAG_STEPS),
        nothing="no Kafka",
    )


def _loop() -> Any:
    return lines(
        "Time since the loop's last turn",
        "It grows while the loop hangs; verdicts and launches stand still then.",
        [(f"time() - freshd_loop_last_timestamp_seconds{{{IT}}}", "{{instance}}")],
        "s",
        thresholds=words.steps(*LOOP_STEPS),
    )


def _events() -> Any:
    return lines(
        "Events",
        "Events heard a second, by what became of them.",
        [(f"sum by (outcome) (rate(freshd_events_total{{{IT}}}[$__rate_interval]))", "{{outcome}}")],
        "eps",
        colours=words.OUTCOMES,
        stacked=True,
    )


def _not_understood() -> Any:
    bad = f'freshd_events_total{{{IT}, outcome=~"dead_letter|unmatched"}}'
    return lines(
        "Not understood",
        "Events that could not be decoded, or that are about no known asset, by format and outcome.",
        [(f"sum by (format, outcome) (increase({bad}[$__rate_interval]))", "{{format}}: {{outcome}}")],
        "none",
        colours={"/unmatched$/": words.WARN, "/dead_letter$/": words.STALE},
        drawn_as_bars=True,
        nothing="Everything was understood.",
    )


def _requests() -> Any:
    return lines(
        "Requests that brought events",
        "HTTP requests a second, by ingress and status of the answer.",
        [
            (
                f"sum by (ingress, status) (rate(freshd_ingress_requests_total{{{IT}}}[$__rate_interval]))",
                "{{ingress}} {{status}}",
            )
        ],
        "reqps",
        nothing="No request came.",
    )


def _services() -> Any:
    return rows(
        "Services it needs",
        "Whether the store and Kafka answer.",
        [f"min by (dependency, instance) (freshd_up{{{IT}}})"],
        [
            Column("dependency", "Service"),
            Column("Value", "Answers", 100, "none", words=YES),
            Column("instance", "Instance", 180),
        ],
        by="Service",
        down=False,
        nothing="freshd is not scraped.",
    )


def _messages() -> Any:
    return lines(
        "Alert messages",
        "Messages to people, by what became of them.",
        [
            (
                f"sum by (channel, outcome) (increase(freshd_notifications_total{{{IT}}}[$__rate_interval]))",
                "{{outcome}} {{channel}}",
            )
        ],
        "none",
        colours={"/^failed /": words.STALE, "/^delivered /": words.FRESH},
        drawn_as_bars=True,
        nothing="No message was sent.",
    )


def _configuration() -> Any:
    return lines(
        "Configuration in force since",
        "How old what the files said is, when it was last taken over. A start counts.",
        [(f"time() - freshd_config_last_reload_success_timestamp_seconds{{{IT}}}", "{{instance}}")],
        "s",
    )


def _memory() -> Any:
    return lines(
        "Memory",
        "Memory of the process that is in use.",
        [(f"process_resident_memory_bytes{{{IT}}}", "{{instance}}")],
        "bytes",
    )


def _processor() -> Any:
    return lines(
        "Processor",
        "Processors in use; one is all that the loop can take.",
        [(f"rate(process_cpu_seconds_total{{{IT}}}[$__rate_interval])", "{{instance}}")],
        "none",
    )


def _scrape() -> Any:
    return lines(
        "Scrapes",
        "How long Prometheus waits for the daemon's metrics.",
        [(f"scrape_duration_seconds{{{IT}}} and on (job, instance) freshd_build_info{{{IT}}}", "{{instance}}")],
        "s",
    )
