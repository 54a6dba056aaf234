// Puts elements into an order with as few moves as there can be: each move has styles and layout made anew.

/** Moves at most `most` of the elements, which are all that `body` holds; answers whether they are in order then. */
export function putInOrder(body, wanted, most) {
  const places = new Map([...body.children].map((node, at) => [node, at]));
  const stay = longestGrowing(wanted.map((node) => places.get(node)));
  let moves = 0;
  let next = null;
  for (let at = wanted.length - 1; at >= 0; at--) {
    if (!stay.has(at)) {
      if (moves === most) return false;
      moves += 1;
      body.insertBefore(wanted[at], next);
    }
    next = wanted[at];
  }
  return true;
}

/** Where the members of a longest part of the numbers are that grows; others may stand between them. */
function longestGrowing(numbers) {
  // For each length, where the part with the lowest last number ends; and for each number, the one before it.
  const ends = [];
  const before = [];
  for (const [at, number] of numbers.entries()) {
    let length = ends.length;
    while (length > 0 && numbers[ends[length - 1]] > number) length -= 1;
    before[at] = ends[length - 1];
    ends[length] = at;
  }
  const part = new Set();
  for (let at = ends.at(-1); at !== undefined; at = before[at]) part.add(at);
  return part;
}
