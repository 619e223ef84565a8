"""Several stores behind one scheduler: the newest that is known, and never a store with a hole."""

from daemons.net.retain import Retainer
from daemons.wire.messages import Failed, Load, Restored, Save, Saved
from retention.api import Unavailable
from retention.memory import MemoryRetention

RECORDS = {"o/a": b"1", "o/b": b"1"}


class Fickle(MemoryRetention):
    """A store that may be away."""

    away = False

    def save(self, *args, **more):
        if self.away:
            raise Unavailable("away")
        return super().save(*args, **more)


def two() -> tuple[Retainer, Fickle, Fickle]:
    one, other = Fickle(), Fickle()
    return Retainer("test", {"one": one, "other": other}, frozenset({"one"})), one, other


def save(retainer: Retainer, n: int, changed: dict[str, bytes], **more):
    return retainer.apply(Save(1, 7, n, changed, **more))


def load(retainer: Retainer, **more) -> Restored:
    answer = retainer.apply(Load(1, **more))
    assert isinstance(answer, Restored)
    return answer


def test_a_store_that_came_back_empty_does_not_hide_what_another_has():
    retainer, _, other = two()
    save(retainer, 1, RECORDS, whole=True)
    other._kept.clear()
    save(retainer, 2, {"o/a": b"2"})

    found = load(retainer)

    assert found.records == {"o/a": b"2", "o/b": b"1"}
    assert (found.epoch, found.n, found.missing) == (7, 2, 0)


def test_deltas_of_a_store_that_came_back_empty_are_not_mixed_with_older_records():
    one, other = MemoryRetention(), MemoryRetention()
    one.save("test/1", 7, 1, RECORDS, (), True)
    other.save("test/1", 7, 2, {"o/a": b"2"}, ())

    found = load(Retainer("test", {"one": one, "other": other}, frozenset({"one"})))

    assert (found.records, found.n, found.missing) == (RECORDS, 1, 0)


def test_what_only_an_empty_store_knows_is_said_to_be_incomplete():
    retainer, _, other = two()
    save(retainer, 1, RECORDS, whole=True)
    other._kept.clear()
    save(retainer, 2, {"o/a": b"2"})

    found = load(retainer, elsewhere=True)

    assert found.records == {"o/a": b"2"} and found.missing
    assert (found.epoch, found.n) == (0, 0)  # any complete copy is better


def test_a_store_that_missed_a_save_takes_no_delta_until_it_has_everything():
    retainer, _, other = two()
    save(retainer, 1, RECORDS, whole=True)
    other.away = True
    save(retainer, 2, {"o/b": b"2"})
    other.away = False

    behind = save(retainer, 3, {"o/a": b"3"})

    assert isinstance(behind, Saved) and behind.stores == 1 and behind.failed
    assert load(retainer, elsewhere=True).n == 1
    assert save(retainer, 4, {"o/a": b"3", "o/b": b"2"}, whole=True) == Saved(1, 7, 4, 2)
    assert save(retainer, 5, {"o/a": b"5"}) == Saved(1, 7, 5, 2)
    assert load(retainer, elsewhere=True).records == {"o/a": b"5", "o/b": b"2"}


def test_a_save_that_nobody_kept_is_the_callers_to_send_again():
    retainer, one, other = two()
    save(retainer, 1, RECORDS, whole=True)
    one.away = other.away = True
    assert isinstance(save(retainer, 2, {"o/b": b"2"}), Failed)
    one.away = other.away = False

    assert save(retainer, 3, {"o/b": b"2", "o/a": b"3"}) == Saved(1, 7, 3, 2)


def test_two_clusters_in_one_store_do_not_mix():
    shared = MemoryRetention()
    ours, theirs = (Retainer(name, {"mem": shared}, frozenset()) for name in ("ours", "theirs"))
    save(ours, 1, {"o/web1": b"ours"}, whole=True)
    save(theirs, 1, {"o/web1": b"theirs"}, whole=True)
    assert load(ours).records == {"o/web1": b"ours"}
    assert load(theirs).records == {"o/web1": b"theirs"}
