"""Errors of the command line, of files and of the programs around dbz."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

ENVIRONMENT = (
    ErrorKind(
        "E001", "the command line is not understood",
        "There is no such command or option, a value is missing, or a value is of the wrong kind.",
        "The message names the word at fault. `dbz help COMMAND` shows what the command takes, with examples.",
    ),
    ErrorKind(
        "E002", "a value cannot be used",
        "The value of an option, or of an environment variable, is not written as it must be, or lies "
        "outside its range.",
        "The message names the option and shows how its value is written, or the range that is allowed.",
    ),
    ErrorKind(
        "E003", "options do not go together",
        "Two options contradict each other, or one needs another that is not there.",
        "Leave out one of those that the message names, or add the one that is missing.",
    ),
    ErrorKind(
        "E004", "something has to be named",
        "The command cannot know what is meant: nothing on the command line or in the environment says it.",
        "Give one of the arguments or options that the message names.",
    ),
    ErrorKind(
        "E005", "a file cannot be read",
        "A file or folder that was named does not exist, is of the wrong kind, or may not be read.",
        "Look for a misspelt path, and whether you may read it. Relative paths count from the current folder.",
    ),
    ErrorKind(
        "E006", "a file cannot be written",
        "The folder does not exist, may not be written to, or its file system is full or read-only.",
        "Name another place, usually with --out, or make room there. A verdict is not changed by it.",
    ),
    ErrorKind(
        "E007", "a file is there already",
        "dbz does not write over files that it did not just make itself.",
        "Name another place, or add --force where the command has it.",
    ),
    ErrorKind(
        "E008", "a configuration file has problems",
        "A key is unknown, a value is not allowed, or two of them contradict each other.",
        "Every problem is listed with file, line and what is allowed. `dbz schema NAME` prints the JSON Schema by "
        "which editors complete and check the file.",
    ),
    ErrorKind(
        "E009", "a file is no YAML that can be read",
        "The file is missing or too large, is not UTF-8 text, or breaks the rules of YAML.",
        "The message names the line. Indent with spaces, and put texts with `:`, `#` or `{` into quotation marks.",
    ),
    ErrorKind(
        "E010", "an environment variable is not set",
        "A file, an option or a scenario refers to a variable of the environment, and nobody has set it.",
        "Set the variable that the message names, in the shell or in the secrets of the CI job.",
    ),
    ErrorKind(
        "E011", "a name is not known",
        "No profile, phase, warmer, shard, club or schema has this name.",
        "The message lists the names that are known, and the nearest of them.",
    ),
    ErrorKind(
        "E012", "a document of dbz is damaged",
        "A JSON file that dbz has written was cut off or edited since: a disk was full, or a copy incomplete.",
        "Take another copy of the file, or make it again with the command that wrote it.",
    ),
    ErrorKind(
        "E013", "a document is of another kind or version",
        "The file is a document of something else than was asked for, or a newer dbz has written it.",
        "Name the right file, or bring this dbz up to date.",
    ),
    ErrorKind(
        "E014", "packages are not installed",
        "A plain installation has not everything: stores, AWS, OpenTelemetry and recording are extras.",
        "The message has the `pip install` command of the extra. `dbz doctor` lists all extras.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "E015", "a program could not be started, or ended",
        "A program that dbz starts (the server, a store, the local cloud, a load generator) did not get ready, "
        "or ended while it was needed.",
        "The last lines of its log are in the message, and the path of the log below it. `dbz doctor` looks for "
        "memory, ports and missing packages.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "E016", "the port cannot be used",
        "Another program listens on the port that was named, or only an administrator may listen on it.",
        "Name another port, or 0 for any free one.",
    ),
    ErrorKind(
        "E017", "nobody can listen there",
        "The system refused the address or port, although nothing was wrong when the command began.",
        "Name another port, or an address that this machine has.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "E018", "`dbz serve` is running already",
        "Of one state folder, one `dbz serve` runs at a time.",
        "Use the one that runs, stop it, or give the second one a folder of its own with DBZ_STATE_DIR.",
    ),
    ErrorKind(
        "E019", "the state folder cannot be written",
        "What must outlive a command (the state of `dbz serve`, the journal of changes) has a folder, and it "
        "is not writable.",
        "Set DBZ_STATE_DIR to a folder that you own.",
    ),
    ErrorKind(
        "E020", "nobody can be asked",
        "The command changes something and asks before that, but its input is no terminal.",
        "Add --yes when it is meant. The plan that is printed before says what would be done.",
    ),
    ErrorKind(
        "E021", "the typed name is another one",
        "What is to be changed must be confirmed by typing its name, and something else was typed.",
        "Nothing was changed. Repeat the command, and type the name that it asks for.",
    ),
    ErrorKind(
        "E022", "interrupted",
        "Ctrl-C, a signal, a closed terminal, or a no to a question ended the command.",
        "The message says what was done until then, and stays. A load that was interrupted is saved and judged.",
        ExitCode.INTERRUPTED,
    ),
    ErrorKind(
        "E023", "an error in dbz itself",
        "dbz met something that its authors did not think of.",
        "Report it with the file that the message names: it holds the traceback. Nothing in it is sent anywhere.",
        ExitCode.INTERNAL,
    ),
    ErrorKind(
        "E024", "the system refused a file",
        "Opening, reading or writing the file that the message names failed, with the reason of the operating system.",
        "Correct the path, or its permissions.",
    ),
    ErrorKind(
        "E025", "the machine could not do it",
        "A disk is full or fails, too many files are open, or what was printed could not be written.",
        "Make room, or raise the limit (`ulimit -n`), and repeat the command. `dbz doctor` looks at both.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "E026", "a file is beyond what is read",
        "The file, one of its lines, or the number or depth of the values in it is beyond what dbz reads of its kind.",
        "The message names what was met and what is allowed. Is it the right file? A large one is often another one.",
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
