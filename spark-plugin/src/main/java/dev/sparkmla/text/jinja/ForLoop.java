package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The for statement: its body for each item that passes the filter, or the rest for none. */
record ForLoop(
    List<String> targets,
    Expression items,
    Expression filter,
    List<Node> body,
    List<Node> otherwise)
    implements Node {
  @Override
  public Next render(Scope scope, StringBuilder text) {
    List<Object> passed = new ArrayList<>();
    for (Object item : Values.items(items.value(scope))) {
      Scope tried = scope.inner();
      Parser.assign(targets, item, tried);
      if (Values.truth(filter.value(tried))) {
        passed.add(item);
      }
    }
    if (passed.isEmpty()) {
      return Node.renderAll(otherwise, scope.inner(), text);
    }
    for (int i = 0; i < passed.size(); i++) {
      Scope turn = scope.inner();
      turn.set("loop", loop(passed, i));
      Parser.assign(targets, passed.get(i), turn);
      if (Node.renderAll(body, turn, text) == Next.AFTER_LOOP) {
        break;
      }
    }
    return Next.PART;
  }

  private static Map<String, Object> loop(List<Object> items, int index) {
    int size = items.size();
    Map<String, Object> loop = new HashMap<>();
    loop.put("index", index + 1L);
    loop.put("index0", (long) index);
    loop.put("revindex", (long) size - index);
    loop.put("revindex0", size - index - 1L);
    loop.put("first", index == 0);
    loop.put("last", index == size - 1);
    loop.put("length", (long) size);
    loop.put("previtem", index > 0 ? items.get(index - 1) : new Undefined("previtem"));
    loop.put("nextitem", index < size - 1 ? items.get(index + 1) : new Undefined("nextitem"));
    Callable cycle = (arguments, named) -> arguments.get(index % arguments.size());
    loop.put("cycle", cycle);
    return loop;
  }
}
