"""Errors of scaling: AWS, plans, changes, rules."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

SCALE = (
    ErrorKind(
        "S001", "no AWS credentials were found",
        "None of the places where AWS' tools look for credentials has any.",
        "`aws configure`, AWS_PROFILE or AWS_ACCESS_KEY_ID; or `dbz serve --cloud` and --local for a local cloud.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S002", "the AWS region, profile or endpoint is not known",
        "No region is set, there is no profile of this name, or AWS_ENDPOINT_URL is no URL.",
        "--region or AWS_REGION; `aws configure list-profiles` shows the profiles.",
    ),
    ErrorKind(
        "S003", "AWS does not know the credentials",
        "They were given for a time that is over, are wrong, or of an account for which the region is off.",
        "`aws sso login`, or new credentials; `aws account list-regions` shows which regions are on.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S004", "AWS refused a permission",
        "The user or role may not make the call that the message names, the account has the service or the region off, "
        "or the clock of this machine is wrong.",
        "The policy in docs/scale.md allows all calls of dbz; `dbz doctor --aws` tries those that only read.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S005", "AWS does not answer",
        "The call failed after several attempts, or something in front of AWS answered: a proxy, a VPN, a "
        "VPC endpoint.",
        "Is the endpoint right, and the network there? `dbz scale status` shows how far a change came.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S006", "AWS did not accept a call",
        "AWS understood the call and found its content wrong, often because of a limit of the account.",
        "The message has AWS' own reason.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S007", "it does not exist in AWS",
        "No cluster, service, cache group, table or policy has this name in this region and account.",
        "Compare --cluster, --service, --region and --aws-profile; the message lists what is there where it can.",
    ),
    ErrorKind(
        "S008", "this service cannot be scaled",
        "It is deleted, or of a kind that takes no number of tasks (DAEMON).",
        "Name another service; a DAEMON service grows with its instances.",
    ),
    ErrorKind(
        "S009", "no local cloud is running",
        "--local means the cloud of a `dbz serve --cloud`, and none runs.",
        "Start it: `dbz serve --cloud`.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S010", "the plan is for another place",
        "A saved plan, or an ARN, is about another service, cluster, region or account than the command.",
        "Name the same place with --cluster, --service, --region and --aws-profile, or make a new plan.",
    ),
    ErrorKind(
        "S011", "an earlier change is not finished",
        "A change of this service was interrupted, and is neither done nor undone.",
        "`dbz scale apply --resume ID` goes on, `dbz scale rollback ID` puts back what was there.",
    ),
    ErrorKind(
        "S012", "there is nothing to resume or to take back",
        "No change in the journal fits: it is finished, taken back, or of another service.",
        "`dbz scale history` lists all changes.",
    ),
    ErrorKind(
        "S013", "somebody else changed it",
        "What is there is not what the plan, the journal or dbz itself left there: another person or program "
        "changed it.",
        "Nothing of theirs was overwritten. Make a new plan; `dbz scale rollback ID --force` overwrites.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "S014", "the tasks did not become steady",
        "New tasks did not start, failed their health checks, or took longer than --timeout.",
        "The message has the reasons of ECS, and what was put back. Look at the tasks' logs, or give it longer.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "S015", "the time of the plan has passed",
        "The plan was to hold until a time that is over by now; nothing was changed.",
        "Make a new plan, with a longer --expires.",
    ),
    ErrorKind(
        "S016", "the plan would take servers away",
        "More tasks or cache nodes run than the phase wants, and fewer could be too few right now.",
        "Add --allow-scale-in when that is meant.",
    ),
    ErrorKind(
        "S017", "somebody else is changing this service",
        "One dbz changes or follows a service at a time, and another one holds the lock or the lease.",
        "Wait for it; `dbz scale status` shows who it is. `dbz scale auto --standby` waits by itself.",
    ),
    ErrorKind(
        "S018", "the lead was lost",
        "This process was not heard of for too long, and another dbz may have taken over.",
        "Nothing more was changed from here; `dbz scale status` shows who leads.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S019", "the numbers or policies contradict each other",
        "A number lies outside the range of the service or of the plan, or an autoscaler of AWS would work against it.",
        "Change the range with --min and --max, or say in the plan who scales: scaling.autoscaler.",
    ),
    ErrorKind(
        "S020", "AWS cannot do this rule by itself",
        "The sentence has no alarm or policy of the same meaning, or needs a load balancer that the plan "
        "does not name.",
        "Write it as the message says, or let dbz follow it: scaling.autoscaler: dbz.",
    ),
    ErrorKind(
        "S021", "the trace cannot be read",
        "A recording for `dbz scale simulate` lacks a column, has a damaged row, or does not go forward in time.",
        "The message has the line and what is expected; docs/scale.md describes the forms.",
    ),
    ErrorKind(
        "S022", "the plan does not say it",
        "The phase has no API servers, conditions, load or follow-up of the kind that was asked for, or says it twice.",
        "Add the key that the message names to the plan, or leave the option out.",
    ),
    ErrorKind(
        "S023", "there is no data to decide by",
        "Nothing was known for too long of metrics that always have a value while tasks run.",
        "Does the service still write them? scaling.no_data_after says how long that may last.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S024", "the monitor's readings do not have it",
        "No monitor has written the file yet, or it watches nothing of this name.",
        "Start `dbz monitor`, name its file with --from monitor=FILE, or what it watches with --watched.",
    ),
    ErrorKind(
        "S025", "what was to follow the change failed",
        "The tasks are there, but the cache was not warmed or a club was not moved.",
        "Run the command that the message names by itself.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "S026", "the phase is not reached",
        "Points of the phase are open: what is there is not yet what the plan says.",
        "The table says which of them dbz does with `dbz scale apply`, and which are yours.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "S027", "the source of the figures cannot be read",
        "The URL of the metrics does not answer, or has none of the figures that the rules need.",
        "Open the URL yourself; docs/targets.md lists the names that are known.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S028", "it is not known what a task carries",
        "There is no capacity, or the measurement does not hold one: it broke budgets, or lacks a figure.",
        "`dbz capacity` measures it; or name a measurement with --from, or the figure itself.",
    ),
    ErrorKind(
        "S029", "Atlas cannot be asked",
        "The API of MongoDB Atlas does not answer, or refuses the key from here.",
        "The message has its reason; the key needs this machine in its access list.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S030", "the verifying run broke a budget",
        "After the change the app did not hold its budgets; what was there before was put back.",
        "The report of the run says which budgets; see `dbz report show`.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "S031", "the verifying run could not be started",
        "`dbz load` refused its profile or target; its own message stands above.",
        "Mend what that message names, and apply the change again.",
    ),
    ErrorKind(
        "S032", "the verifying run could not reach its target",
        "The app did not answer at --target after the change.",
        "Is the target the address of the app's load balancer, and may this machine reach it?",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "S033", "the verifying run was not valid",
        "The measurement cannot be trusted, so that nothing is verified; its own message stands above.",
        "Measure from a machine with more room, or with fewer users.",
        ExitCode.INVALID,
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
