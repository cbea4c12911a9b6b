"""Every variable of the environment that dbz reads or sets, with what it is for; a test holds it against the code."""

from __future__ import annotations

from dbz.cli.help.topic import Section, Topic

_OWN = (
    ("DBZ_STATE_DIR", "The folder for what must outlive a command; see `dbz help files`."),
    (
        "XDG_STATE_HOME",
        "Without DBZ_STATE_DIR, state is in its folder `dbz` [default: ~/.local/state].",
    ),
    (
        "DBZ_BROWSER",
        "The program of the Chromium that opens pages during a load [default: the first on the search path].",
    ),
    ("DBZ_WORKER_SECRET", "The secret that workers of other machines share with their master: 16 characters or more."),
    ("TARGET_USER", "`user:password` of the target, in profiles that dbz made from a URL with both."),
    ("NO_COLOR", "Set to anything: no colours and no live displays, as on anything but a terminal."),
    ("COLUMNS", "The width of tables."),
    ("TMPDIR", "The folder for what is removed at the end of the command."),
)
_STORES = (
    ("REDIS_URL", "Redis of the cache, where --redis-url is not given; also of the reference server."),
    ("MONGODB_URI", "The document store, where --mongo-uri is not given; also of the reference server."),
    ("SHARD_COUNT", "How many shards the app's own formula counts, instead of shard_count in the shards file."),
    ("MONGODB_ATLAS_PUBLIC_API_KEY, MONGODB_ATLAS_PRIVATE_API_KEY",
     "A key of MongoDB Atlas: `dbz scale` looks at the cluster with it."),
    ("MONGODB_ATLAS_CLIENT_ID, MONGODB_ATLAS_CLIENT_SECRET", "The same by a service account."),
    ("MONGODB_ATLAS_PROJECT_ID", "The project of the cluster, where the plan does not name it."),
    ("MONGODB_ATLAS_OPS_MANAGER_URL", "Another address of its API [default: https://cloud.mongodb.com]."),
)  # fmt: skip
_AWS = (
    ("AWS_PROFILE", "The profile of your AWS configuration; --aws-profile comes before it."),
    ("AWS_REGION, AWS_DEFAULT_REGION", "The region; --region comes before them."),
    ("AWS_ENDPOINT_URL", "Another address than Amazon's, such as that of a local cloud."),
    ("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", "Credentials."),
    ("AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE", "Credentials by a token of the web."),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "Credentials inside of containers."),
    ("AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE", "Other places of ~/.aws/credentials and ~/.aws/config."),
)
_NETWORK = (
    ("http_proxy, https_proxy, all_proxy, no_proxy", "Proxies of HTTP; never for this machine itself."),
    ("REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE", "The file of certificate authorities that users of a load trust."),
    ("LOCUST_*", "Options of Locust, for Locust files."),
)
_CI = (
    ("GITHUB_ACTIONS", "`true`: broken budgets are annotated."),
    ("GITHUB_STEP_SUMMARY", "The file that gets a summary of the run."),
)
_SERVER = (
    ("JWT_SECRET", "Signs tokens; only ever from the environment."),
    ("ACCESS_TTL_S", "How long access tokens are valid."),
    ("ALLOWED_ORIGINS", "Origins of browsers, with commas between them."),
    ("QUEUE_URL, DEAD_LETTER_QUEUE_URL", "Queues of SQS for events, instead of one in memory."),
    ("BAND_URL, BAND_AUTH_URL, BAND_CLIENT_ID, BAND_REDIRECT_URI", "The Band API that the server signs users in with."),
    (
        "BAND_CLIENT_SECRET, BAND_TOKEN_KEYS",
        "Its secret, and the keys that tokens are kept under.",
    ),
    ("PUSH_APNS_URL, PUSH_APNS_TOPIC, PUSH_APNS_TEAM_ID, PUSH_APNS_KEY_ID", "Where and as whom pushes go to APNs."),
    ("PUSH_APNS_KEY", "The text of Apple's .p8 file, which signs them."),
    ("PUSH_FCM_URL, PUSH_FCM_CREDENTIALS", "Where pushes go to FCM, and the JSON of the service account."),
    ("SMTP_URL, MAIL_FROM", "The relay of e-mails, with user and password, and their sender."),
    ("PUBLIC_URL, MAIL_LINK_SECRET", "Where links in mails lead to, and what signs them."),
)
_HOOK = (
    ("DBZ_HOOK", "What is about to happen."),
    ("DBZ_MOVE, DBZ_CLUB, DBZ_SOURCE, DBZ_TARGET", "The move, its club, and the shards it goes from and to."),
)
_PRECEDENCE = """What stands on the command line comes before a variable, a variable before a file. Files may name
further variables: `${NAME}` in a profile and in the monitor's file, the variable with the URI of each shard in a shards
file, and whatever a scenario asks for. Secrets belong there, and are shown nowhere."""

ENVIRONMENT_TOPIC = Topic(
    "environment", "variables of the environment that dbz reads",
    (
        Section(text=_PRECEDENCE),
        Section("All commands", rows=_OWN),
        Section("Stores", rows=_STORES),
        Section("AWS, as its own tools read them", rows=_AWS),
        Section("Network", rows=_NETWORK),
        Section("CI", rows=_CI),
        Section("The reference server", rows=_SERVER),
        Section("Set by dbz for the commands of `dbz shard rebalance --hook`", rows=_HOOK),
    ),
)  # fmt: skip


def variable_names() -> set[str]:
    """All names in the topic."""
    return {name for section in ENVIRONMENT_TOPIC.sections for names, _ in section.rows for name in names.split(", ")}
