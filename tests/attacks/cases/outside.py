"""Reading or writing outside the scratch folder; network, local services, the scheduler."""

from tests.attacks.bank import WRONG, Case

GROUP = "outside the scratch folder"

LEAK = """
def runs(text):
    raise ValueError(" ".join(found))
print(*found)
"""


def _reads(path: str) -> str:
    return (
        f"""import glob
found = []
for path in sorted(glob.glob({path!r}, recursive=True)):
    try:
        found.append(open(path, errors="replace").read()[-300:])
    except OSError as error:
        found.append(type(error).__name__)
"""
        + LEAK
    )


CASES = [
    Case(
        "repository_read",
        "reads a file of the course's repository by its absolute path",
        "root folder of the session, Landlock",
        "secret",
        {"runs": _reads("{course}/solutions/*.txt")},
    ),
    Case(
        "gradebook_read",
        "reads the gradebook",
        "root folder of the session, Landlock",
        "secret",
        {"runs": _reads("{course}/build/grading/gradebook.db")},
    ),
    Case(
        "neighbour_read",
        "reads what other students handed in",
        "root folder of the session, Landlock",
        "secret",
        {"runs": _reads("{course}/build/grading/submitted/*/target/*")},
    ),
    Case(
        "environment_read",
        "prints the environment of this process and of all others",
        "the runtime parent starts with an environment of its own, /proc is the session's",
        "secret",
        {
            "runs": """import glob, os
found = [str(dict(os.environ))]
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        found.append(open(path, errors="replace").read())
    except OSError:
        pass
needle = "environment" + "-canary"
found = [part[part.index(needle):][:25] for part in found if needle in part]
"""
            + LEAK
        },
    ),
    Case(
        "file_written_outside",
        "writes and deletes files of the course",
        "root folder of the session, Landlock",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import os
for path in ("{course}/touched", "{course}/build/grading/gradebook.db"):
    try:
        open(path, "a").write("touched")
    except OSError:
        pass
try:
    os.remove("{course}/solutions/removable")
except OSError:
    pass
"""
        },
    ),
    Case(
        "link_out_of_scratch",
        "plants links in the scratch folder that lead outside, and writes through them",
        "root folder of the session, Landlock",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import os
for kind, name in ((os.symlink, "soft"), (os.link, "hard")):
    try:
        kind("{course}/build/grading/gradebook.db", name)
        open(name, "a").write("touched")
    except OSError:
        pass
try:
    os.symlink("{course}", "folder")
    open("folder/touched", "w").write("touched")
except OSError:
    pass
"""
        },
    ),
    Case(
        "service_called",
        "speaks to a service that listens on this machine",
        "network namespace, seccomp",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import socket
for address in (("127.0.0.1", {port}),):
    try:
        with socket.create_connection(address, timeout=1) as there:
            there.sendall(b"from-a-student")
    except OSError:
        pass
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.sendto(b"from-a-student", ("127.0.0.1", {port}))
except OSError:
    pass
"""
        },
    ),
    Case(
        "unix_socket_called",
        "speaks to a service over a socket in the file system and over an abstract one",
        "root folder and network namespace; Landlock and seccomp",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import socket
for address in ("{service}", "\\0{service}"):
    try:
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(address)
            there.sendall(b"from-a-student")
    except OSError:
        pass
"""
        },
    ),
    Case(
        "left_for_the_next_one",
        "leaves a file in every folder it can write to, and looks for what the one before left",
        "each session's scratch folder is its own, or is emptied",
        "secret",
        {
            "runs": """import os
found = []
for folder in (".", "/tmp", "/dev/shm", os.path.expanduser("~")):
    path = os.path.join(folder, "lic-left-behind")
    try:
        if open(path).read() != "{me}":
            found.append("left-by-" + "another")
    except OSError:
        pass
    try:
        open(path, "w").write("{me}")
    except OSError:
        pass
"""
            + LEAK
        },
        secret="left-by-another",
        twice=True,
    ),
]
