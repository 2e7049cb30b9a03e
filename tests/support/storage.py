"""Documents, indexes and short ways to read and write, for the tests of the stores."""

from storage.base import Index, Retention
from storage.engine.shared_state import decode_end
from storage.tinydb_store import TinyDBStore

KEPT = Retention(days=7, bytes=1 << 40)


def optional(*names):
    return lambda document: [document[name].casefold() for name in names if document.get(name)]


INDEXES = [
    Index("User", "userName", optional("userName"), unique=True, member="userName"),
    Index("User", "title", optional("title"), member="title"),
    Index("User", "weight", lambda document: [repr(document.get("weight"))], member="weight"),
    Index("Group", "displayName", optional("displayName"), unique=True),
    Index("Membership", "group", lambda document: [document["group"]]),
    Index("Membership", "member", lambda document: [document["member"]]),
]


def user(number, **rest):
    return {"id": f"u{number}", "userName": f"User{number}@example.com", **rest}


def membership(group, member):
    return {"id": f"{group}.{member}", "group": group, "member": member}


def opened(path, **options):
    store = TinyDBStore(path, **{"retention": KEPT, **options})
    store.open(INDEXES)
    return store


def data_of(found):
    """Decode stored documents."""
    return [stored.data for stored in found]


def ids_of(found):
    return [stored.data["id"] for stored in found]


def entries_of(reader, after=""):
    return [entry for _, entry in reader.entries(after)]


def insert(store, number, **rest):
    with store.writing() as tx:
        tx.insert("User", user(number, **rest))


def user_ids(store):
    with store.reading() as reader:
        return ids_of(reader.scan("User"))


def state(path):
    """Open the files, and return their documents with their positions."""
    store = opened(path)
    try:
        with store.reading() as reader:
            return {
                kind: [(reader.position(kind, document["id"]), document) for document in data_of(reader.scan(kind))]
                for kind in ("User", "Group", "Membership")
            }
    finally:
        store.close()


def journal_of(path):
    (journal,) = path.parent.glob("*.journal.*")
    return journal


def flip(path, offset):
    """Flip a bit."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def reboot(path):
    """Make the wal-index one from before the machine booted."""
    wal_index = path.with_name(f"{path.name}.locks") / "write"
    end = decode_end(wal_index.read_bytes())
    wal_index.write_bytes(end._replace(boot=bytes(16)).encode())
