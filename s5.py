PROBLEM = dict(task_id="demo/s5-signs", style="stdin", prompt='''
Given are n positive whole numbers and a target. Put a plus or a minus sign before each number, the first one included, so that the sum is the target. The order of the numbers must not change.

The first line of the input holds n and the target (1 <= n <= 60, -6000 <= target <= 6000), the second line the n numbers (each at most 100).

Print the numbers with their signs, separated by spaces, for example "+3 -2 +5"; where several answers are possible, any one of them is accepted. If there is none, print "impossible".
''', reference='''
import sys


def main():
    data = list(map(int, sys.stdin.read().split()))
    n, target, numbers = data[0], data[1], data[2:]
    reachable = [{0}]
    for x in numbers:
        reachable.append({s + x for s in reachable[-1]} | {s - x for s in reachable[-1]})
    if target not in reachable[n]:
        print("impossible")
        return
    answer = []
    for i in range(n - 1, -1, -1):
        signed = numbers[i] if target - numbers[i] in reachable[i] else -numbers[i]
        answer.append(f"{signed:+d}")
        target -= signed
    print(*reversed(answer))


main()
''', ground_truth=dict(checker='''
def check(stdin, expected, actual):
    """Any choice of signs that reaches the target is right; "impossible" only where it is expected."""
    _, target, *numbers = stdin.split()
    answer = actual.split()
    if expected.split() == ["impossible"]:
        return answer == ["impossible"]
    if len(answer) != len(numbers):
        return False
    if any(word[0] not in "+-" or word[1:] != number for word, number in zip(answer, numbers)):
        return False
    return sum(int(word) for word in answer) == int(target)
'''))
CASES = [
"3 6\n3 2 5\n", "3 5\n1 2 3\n", "2 -1\n1 2\n", "2 1\n1 2\n", "1 -7\n7\n", "1 0\n4\n", "4 0\n9 4 3 2\n", "5 -3\n1 1 1 1 1\n", "3 100\n5 6 7\n",
"40 7\n" + " ".join(str(2 + 2 * (i % 13)) for i in range(40)) + "\n",
"60 1234\n" + " ".join(str(1 + (i * 37) % 100) for i in range(60)) + "\n",
"4 -6\n8 1 6 5\n",
]
SOL = {}
SOL["parents"] = '''
n, target = map(int, input().split())
numbers = list(map(int, input().split()))

layers = [{0: None}]
for x in numbers:
    layer = {}
    for s in layers[-1]:
        layer.setdefault(s + x, "+")
        layer.setdefault(s - x, "-")
    layers.append(layer)

if target not in layers[-1]:
    print("impossible")
else:
    result = []
    s = target
    for i in range(n, 0, -1):
        sign = layers[i][s]
        result.append(sign + str(numbers[i - 1]))
        s -= numbers[i - 1] if sign == "+" else -numbers[i - 1]
    print(" ".join(result[::-1]))
'''
SOL["memo"] = '''
import sys
from functools import lru_cache

def main():
    first, second = sys.stdin.read().strip().split("\\n")[:2]
    n, target = map(int, first.split())
    nums = tuple(map(int, second.split()))

    @lru_cache(None)
    def possible(i, rest):
        if i == n:
            return rest == 0
        return possible(i + 1, rest - nums[i]) or possible(i + 1, rest + nums[i])

    if not possible(0, target):
        print("impossible")
        return
    out = []
    rest = target
    for i, x in enumerate(nums):
        if possible(i + 1, rest - x):
            out.append(f"+{x}")
            rest -= x
        else:
            out.append(f"-{x}")
            rest += x
    print(*out)

main()
'''
SOL["subset"] = '''
n, target = map(int, input().split())
a = [int(x) for x in input().split()]
total = sum(a)

# the numbers with a plus must add up to (total + target) / 2
if abs(target) > total or (total + target) % 2:
    print("impossible")
else:
    need = (total + target) // 2
    dp = [[False] * (need + 1) for _ in range(n + 1)]
    dp[0][0] = True
    for i, x in enumerate(a):
        for s in range(need + 1):
            dp[i + 1][s] = dp[i][s] or (s >= x and dp[i][s - x])
    if not dp[n][need]:
        print("impossible")
    else:
        signs = []
        for i in range(n - 1, -1, -1):
            if dp[i][need]:
                signs.append("-" + str(a[i]))
            else:
                signs.append("+" + str(a[i]))
                need -= a[i]
        print(" ".join(reversed(signs)))
'''
SOL["strings"] = '''
n, target = map(int, input().split())
numbers = input().split()

# sum -> one expression that has this sum
expressions = {0: []}
for word in numbers:
    value = int(word)
    following = {}
    for total, words in expressions.items():
        following[total + value] = words + ["+" + word]
        following[total - value] = words + ["-" + word]
    expressions = following

print(" ".join(expressions[target]) if target in expressions else "impossible")
'''
SOL["bits"] = '''
import sys

data = sys.stdin.read().split()
n, target = int(data[0]), int(data[1])
nums = [int(v) for v in data[2:2 + n]]
total = sum(nums)

# bit s of masks[i]: some subset of the first i numbers sums to s
masks = [1]
for x in nums:
    masks.append(masks[-1] | masks[-1] << x)

plus, odd = divmod(total + target, 2)
if odd or plus < 0 or not masks[n] >> plus & 1:
    print("impossible")
else:
    answer = [""] * n
    for i in reversed(range(n)):
        if masks[i] >> plus & 1:
            answer[i] = f"-{nums[i]}"
        else:
            answer[i] = f"+{nums[i]}"
            plus -= nums[i]
    print(*answer)
'''
SOL["dfs_dead"] = '''
n, target = map(int, input().split())
numbers = list(map(int, input().split()))
remaining = [0] * (n + 1)
for i in range(n - 1, -1, -1):
    remaining[i] = remaining[i + 1] + numbers[i]

dead = set()
chosen = []

def search(i, total):
    if i == n:
        return total == target
    if (i, total) in dead or abs(target - total) > remaining[i]:
        return False
    for sign in (1, -1):
        chosen.append(sign * numbers[i])
        if search(i + 1, total + sign * numbers[i]):
            return True
        chosen.pop()
    dead.add((i, total))
    return False

if search(0, 0):
    print(" ".join("%+d" % x for x in chosen))
else:
    print("impossible")
'''
SOL["product"] = '''
from itertools import product

n, target = map(int, input().split())
numbers = list(map(int, input().split()))
for signs in product((1, -1), repeat=n):
    if sum(s * x for s, x in zip(signs, numbers)) == target:
        print(" ".join(("+" if s > 0 else "-") + str(x) for s, x in zip(signs, numbers)))
        break
else:
    print("impossible")
'''
SOL["first_plus"] = '''
n, target = map(int, input().split())
numbers = list(map(int, input().split()))

reach = {numbers[0]: ["+" + str(numbers[0])]}
for x in numbers[1:]:
    new = {}
    for s, expr in reach.items():
        new[s + x] = expr + ["+" + str(x)]
        new[s - x] = expr + ["-" + str(x)]
    reach = new

if target in reach:
    print(" ".join(reach[target]))
else:
    print("impossible")
'''
SOL["greedy"] = '''
n, target = map(int, input().split())
numbers = list(map(int, input().split()))
signs = [""] * n
total = 0
# largest first, always towards the target
for i in sorted(range(n), key=lambda i: -numbers[i]):
    if total < target:
        total += numbers[i]
        signs[i] = "+"
    else:
        total -= numbers[i]
        signs[i] = "-"
if total == target:
    print(" ".join(s + str(x) for s, x in zip(signs, numbers)))
else:
    print("impossible")
'''
SOL["no_parity"] = '''
n, target = map(int, input().split())
nums = list(map(int, input().split()))
total = sum(nums)
need = (total + target) // 2
ways = {0: []}
for i, x in enumerate(nums):
    for s, idx in list(ways.items()):
        if s + x not in ways:
            ways[s + x] = idx + [i]
if need in ways:
    plus = set(ways[need])
    print(" ".join(("+" if i in plus else "-") + str(x) for i, x in enumerate(nums)))
else:
    print("impossible")
'''
SOL["random"] = '''
import random

n, target = map(int, input().split())
numbers = list(map(int, input().split()))
total = sum(numbers)
if abs(target) > total:
    print("impossible")
else:
    while True:
        signs = [random.choice((1, -1)) for _ in numbers]
        if sum(s * x for s, x in zip(signs, numbers)) == target:
            break
    print(" ".join(f"{s * x:+d}" for s, x in zip(signs, numbers)))
'''
SOL["bare_first"] = '''
n, target = map(int, input().split())
numbers = list(map(int, input().split()))
layers = [{0}]
for x in numbers:
    layers.append({s + x for s in layers[-1]} | {s - x for s in layers[-1]})
if target not in layers[n]:
    print("impossible")
else:
    signed = []
    for i in range(n - 1, -1, -1):
        if target - numbers[i] in layers[i]:
            signed.append(numbers[i])
        else:
            signed.append(-numbers[i])
        target -= signed[-1]
    signed.reverse()
    text = str(signed[0])
    for v in signed[1:]:
        text += f" +{v}" if v > 0 else f" {v}"
    print(text)
'''
SOL["sorted"] = '''
n, target = map(int, input().split())
numbers = sorted(map(int, input().split()), reverse=True)
states = {0: ""}
for x in numbers:
    new = {}
    for s, e in states.items():
        new[s + x] = e + f" +{x}"
        new[s - x] = e + f" -{x}"
    states = new
print(states.get(target, "impossible").strip())
'''
SOL["negative_index"] = '''
n, target = map(int, input().split())
a = list(map(int, input().split()))
size = sum(a) + 1
dp = [[None] * size for _ in range(n + 1)]
dp[0][0] = ""
for i in range(n):
    for s in range(size):
        if dp[i][s] is not None:
            dp[i + 1][s + a[i]] = dp[i][s] + " +" + str(a[i])
            if s >= a[i]:
                dp[i + 1][s - a[i]] = dp[i][s] + " -" + str(a[i])
if 0 <= target < size and dp[n][target] is not None:
    print(dp[n][target].strip())
else:
    print("impossible")
'''
ORDER = "subset first_plus parents product strings greedy bits negative_index memo no_parity random dfs_dead bare_first strings2 sorted first_plus2"
SOL["strings2"] = SOL["strings"]
SOL["first_plus2"] = SOL["first_plus"]
TESTS = [
("3 6\n3 2 5\n", "+3 -2 +5\n"),
("2 3\n1 2\n", "+1 +2\n"),
("2 -1\n1 2\n", "+1 -2\n"),
# wrong: +5 -5 +2 is missed
("3 -2\n5 5 2\n", "impossible\n"),
("3 10\n1 2 3\n", "impossible\n"),
("2 1\n1 2\n", "-1 +2\n"),
("4 2\n1 1 1 1\n", "+1 +1 +1 -1\n"),
# wrong: an odd total cannot be even
("3 4\n2 4 1\n", "+2 +4 -1\n"),
("1 -5\n5\n", "-5\n"),
# wrong: needs a minus on the first number
("2 3\n2 5\n", "impossible\n"),
("3 0\n1 2 3\n", "+1 +2 -3\n"),
("5 3\n1 1 1 1 1\n", "+1 +1 -1 +1 +1\n"),
("4 0\n6 5 5 4\n", "+6 -5 -5 +4\n"),
# wrong: 0 out of an odd total
("3 0\n1 3 5\n", "+1 +3 -5\n"),
("4 -8\n2 9 4 3\n", "-2 -9 +0 +3\n"),
("3 4\n1 2 3\n", "+1 +2 +3\n"),
]
