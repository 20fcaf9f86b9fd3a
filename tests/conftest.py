"""What all tests share: fixtures that start the real components some of them need."""

pytest_plugins = ["tests.broker.fixtures", "tests.postgres.fixtures", "tests.chart.early"]
