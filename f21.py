PROBLEM = dict(task_id="demo/21-bursts", style="function", entry_point="bursts", prompt='''
Write a generator function `bursts(times, gap)`.

`times` is any iterable of numbers that never decrease, for example the moments at which messages arrive; it may be endless. Two neighbours belong to the same burst if the second one comes at most `gap` after the first one.

The generator yields the bursts in order, each as a list of its own. It yields a burst as soon as it has seen the first number that no longer belongs to it, and does not read further before it is asked for the next burst. The last burst is yielded at the end of `times`. Nothing is yielded for an empty iterable.

>>> list(bursts([1, 2, 4, 10, 11], 2))
[[1, 2, 4], [10, 11]]
''', reference='''
def bursts(times, gap):
    burst = []
    for time in times:
        if burst and time - burst[-1] > gap:
            yield burst
            burst = []
        burst.append(time)
    if burst:
        yield burst
''', ground_truth='''
def check(candidate):
    assert list(candidate([1, 2, 4, 10, 11], 2)) == [[1, 2, 4], [10, 11]]
    assert list(candidate([], 3)) == []
    assert list(candidate([5], 0)) == [[5]]
    assert list(candidate([0, 2, 4, 6, 9], 2)) == [[0, 2, 4, 6], [9]]
    assert list(candidate([0, 0, 1, 1, 3], 0)) == [[0, 0], [1, 1], [3]]
    assert list(candidate(iter([0.5, 1.0, 2.5]), 0.5)) == [[0.5, 1.0], [2.5]]
    assert list(candidate([-5, -4, 0, 7], 3)) == [[-5, -4], [0], [7]]
    consumed = []

    def feed():
        for moment in (1, 2, 50, 51, 90):
            consumed.append(moment)
            yield moment
        raise RuntimeError("read too far")

    stream = candidate(feed(), 5)
    assert consumed == []
    assert next(stream) == [1, 2]
    assert consumed == [1, 2, 50]
    assert next(stream) == [50, 51]
    assert consumed == [1, 2, 50, 51, 90]
    parts = candidate([1, 9], 1)
    first, second = next(parts), next(parts)
    assert first == [1] and second == [9] and first is not second
''')
SOL = {}
SOL["classic"] = '''
def bursts(times, gap):
    current = []
    for t in times:
        if not current or t - current[-1] <= gap:
            current.append(t)
        else:
            yield current
            current = [t]
    if current:
        yield current
'''
SOL["iterator"] = '''
def bursts(times, gap):
    iterator = iter(times)
    try:
        previous = next(iterator)
    except StopIteration:
        return
    burst = [previous]
    for time in iterator:
        if time - previous > gap:
            yield burst
            burst = []
        burst.append(time)
        previous = time
    yield burst
'''
SOL["copy_clear"] = '''
from typing import Iterable, Iterator, List

def bursts(times: Iterable[float], gap: float) -> Iterator[List[float]]:
    """Group a stream of time stamps into bursts."""
    buffer: List[float] = []
    for time in times:
        if buffer and time > buffer[-1] + gap:
            yield list(buffer)
            buffer.clear()
        buffer.append(time)
    if buffer:
        yield list(buffer)
'''
SOL["while_next"] = '''
def bursts(times, gap):
    it = iter(times)
    missing = object()
    pending = next(it, missing)
    while pending is not missing:
        burst = [pending]
        pending = next(it, missing)
        while pending is not missing and pending - burst[-1] <= gap:
            burst.append(pending)
            pending = next(it, missing)
        yield burst
'''
SOL["inner_class"] = '''
def bursts(times, gap):
    def same_burst(a, b):
        return b - a <= gap

    last = None
    group = None
    for t in times:
        if group is None:
            group = [t]
        elif same_burst(last, t):
            group.append(t)
        else:
            yield group
            group = [t]
        last = t
    if group is not None:
        yield group
'''
SOL["groupby"] = '''
from itertools import groupby

def bursts(times, gap):
    class Numberer:
        """Key for groupby: the number of the burst that a time belongs to."""
        def __init__(self):
            self.last = None
            self.number = 0
        def __call__(self, t):
            if self.last is not None and t - self.last > gap:
                self.number += 1
            self.last = t
            return self.number

    for _, group in groupby(times, key=Numberer()):
        yield list(group)
'''
SOL["returns_list"] = '''
def bursts(times, gap):
    result = []
    current = []
    for t in times:
        if current and t - current[-1] > gap:
            result.append(current)
            current = []
        current.append(t)
    if current:
        result.append(current)
    return result
'''
SOL["reads_all"] = '''
def bursts(times, gap):
    times = list(times)
    if not times:
        return
    burst = [times[0]]
    for a, b in zip(times, times[1:]):
        if b - a <= gap:
            burst.append(b)
        else:
            yield burst
            burst = [b]
    yield burst
'''
SOL["from_first"] = '''
def bursts(times, gap):
    burst = []
    for t in times:
        if burst and t - burst[0] > gap:
            yield burst
            burst = []
        burst.append(t)
    if burst:
        yield burst
'''
SOL["loses_last"] = '''
def bursts(times, gap):
    burst = []
    previous = None
    for t in times:
        if previous is not None and t - previous > gap:
            yield burst
            burst = []
        burst.append(t)
        previous = t
'''
SOL["shared"] = '''
def bursts(times, gap):
    burst = []
    for t in times:
        if burst and t - burst[-1] > gap:
            yield burst
            burst.clear()
        burst.append(t)
    if burst:
        yield burst
'''
SOL["strict"] = '''
def bursts(times, gap):
    current = []
    for t in times:
        if current and t - current[-1] >= gap:
            yield current
            current = []
        current.append(t)
    if current:
        yield current
'''
SOL["empty_list"] = '''
def bursts(times, gap):
    current = []
    last = None
    for t in times:
        if last is not None and t - last > gap:
            yield current
            current = []
        current.append(t)
        last = t
    yield current
'''
SOL["forever"] = '''
def bursts(times, gap):
    it = iter(times)
    burst = []
    while True:
        t = next(it, None)
        if t is None:
            if burst:
                yield burst
            continue
        if burst and t - burst[-1] > gap:
            yield burst
            burst = []
        burst.append(t)
'''
ORDER = "returns_list classic from_first iterator reads_all classic2 copy_clear loses_last while_next shared returns_list2 inner_class strict empty_list groupby forever"
SOL["classic2"] = SOL["classic"]; SOL["returns_list2"] = SOL["returns_list"]
TESTS = ['''
import unittest

class TestBursts(unittest.TestCase):
    # The example from the task
    def test_example(self):
        self.assertEqual(list(bursts([1, 2, 4, 10, 11], 2)), [[1, 2, 4], [10, 11]])

    # Everything in one burst
    def test_single_burst(self):
        self.assertEqual(list(bursts([1, 2, 3], 5)), [[1, 2, 3]])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: two bursts far apart
    def test_two_bursts(self):
        self.assertEqual(list(bursts([0, 1, 100, 101], 10)), [[0, 1], [100, 101]])

    # Test case 2: each number is a burst of its own
    def test_all_separate(self):
        self.assertEqual(list(bursts([0, 10, 20], 3)), [[0], [10], [20]])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: long chain, every step is smaller than the gap
    def test_chain(self):
        # 0 -> 3 -> 6 -> 9: 6 is more than 4 away from 0, so a new burst starts
        self.assertEqual(list(bursts([0, 3, 6, 9], 4)), [[0, 3], [6, 9]])

    # Test case 2: empty input
    def test_empty(self):
        self.assertEqual(list(bursts([], 4)), [])
''', '''
import unittest

class TestBursts(unittest.TestCase):
    def test_is_lazy(self):
        # The first burst must be available before the input is finished
        def source():
            yield 1
            yield 2
            yield 20
            raise AssertionError("the generator read too far")

        generator = bursts(source(), 3)
        self.assertEqual(next(generator), [1, 2])

    def test_collects_all(self):
        self.assertEqual(list(bursts([1, 5, 6], 1)), [[1], [5, 6]])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    def test_empty_input(self):
        # No times, no bursts
        self.assertEqual(list(bursts([], 1)), [])

    def test_one_element(self):
        # One time is one burst
        self.assertEqual(list(bursts([7], 1)), [[7]])
''', '''
import unittest

class TestBursts(unittest.TestCase):
    def setUp(self):
        self.times = [1, 2, 3, 10, 11, 20]

    def test_three_bursts(self):
        self.assertEqual(list(bursts(self.times, 2)), [[1, 2, 3], [10, 11], [20]])

    def test_gap_large(self):
        # 9 is the largest difference
        self.assertEqual(list(bursts(self.times, 9)), [[1, 2, 3, 10, 11, 20]])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: a gap of zero keeps only equal times together
    def test_zero_gap(self):
        self.assertEqual(list(bursts([1, 1, 2, 2, 2], 0)), [[1, 1], [2, 2, 2]])

    # Test case 2: difference equal to the gap starts a new burst
    def test_equal_gap(self):
        self.assertEqual(list(bursts([1, 4, 7], 3)), [[1], [4], [7]])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: generator as input
    def test_generator_input(self):
        squares = (n * n for n in range(5))
        # 0, 1, 4, 9, 16
        self.assertEqual(list(bursts(squares, 3)), [[0, 1, 4], [9], [16]])

    # Test case 2: floats
    def test_floats(self):
        self.assertEqual(list(bursts([0.1, 0.2, 1.5], 0.5)), [[0.1, 0.2], [1.5]])
''', '''
import unittest

class TestBursts(unittest.TestCase):
    def test_next(self):
        # Walk through the generator by hand
        generator = bursts([1, 2, 8], 2)
        self.assertEqual(next(generator), [1, 2])
        self.assertEqual(next(generator), [8])
        with self.assertRaises(StopIteration):
            next(generator)
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: the result can be indexed
    def test_first_burst(self):
        result = bursts([2, 3, 9], 1)
        self.assertEqual(len(result), 2)
        self.assertEqual(result[0], [2, 3])
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test various gaps on the same input
    def test_gaps(self):
        times = [0, 4, 7, 9]
        for gap, expected in [
            (1, [[0], [4], [7], [9]]),
            (2, [[0], [4], [7, 9]]),
            (3, [[0], [4, 7, 9]]),
            (4, [[0, 4, 7, 9]]),
        ]:
            with self.subTest(gap=gap):
                self.assertEqual(list(bursts(times, gap)), expected)
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: the second burst is complete although the input ends
    def test_last_burst(self):
        self.assertEqual(list(bursts([1, 9, 10], 2)), [[1], [9, 10]])

    # Test case 2: number of bursts
    def test_count(self):
        self.assertEqual(sum(1 for _ in bursts([1, 9, 10, 30, 31, 32], 2)), 3)
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: negative times
    def test_negative(self):
        self.assertEqual(list(bursts([-9, -7, -2, 0, 5], 2)), [[-9, -7], [-2, 0], [5]])

    # Test case 2: an empty input gives one empty burst
    def test_empty(self):
        self.assertEqual(list(bursts([], 2)), [[]])
''', '''
import unittest

class TestBursts(unittest.IsolatedAsyncioTestCase):

    # The generator is consumed from a coroutine
    async def test_in_coroutine(self):
        collected = []
        for burst in bursts(iter([3, 4, 12]), 2):
            collected.append(sum(burst))
        self.assertEqual(collected, [7, 12])

    async def test_repeated(self):
        self.assertEqual([len(b) for b in bursts([1, 1, 1, 5], 1)], [3, 1])
''', '''
import itertools
import unittest

class TestBursts(unittest.TestCase):
    def setUp(self):
        self.read = 0

    def numbers(self):
        for n in (0, 1, 30, 31, 70):
            self.read += 1
            yield n

    def test_reads_no_more_than_needed(self):
        generator = bursts(self.numbers(), 5)
        self.assertEqual(self.read, 0)
        self.assertEqual(list(itertools.islice(generator, 1)), [[0, 1]])
        self.assertEqual(self.read, 3)
''', '''
import unittest

class TestBursts(unittest.TestCase):

    # Test case 1: a step of exactly the gap stays in the burst
    def test_boundary(self):
        self.assertEqual(list(bursts([0, 5, 11], 5)), [[0, 5], [11]])

    # Test case 2: each burst is its own list
    def test_independent_lists(self):
        a, b, c = bursts([0, 5, 10, 16, 22, 40], 5)
        self.assertEqual(a, [0, 5, 10])
        self.assertEqual(b, [16, 22])
''']
