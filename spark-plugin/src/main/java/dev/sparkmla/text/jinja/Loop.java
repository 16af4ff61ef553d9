package dev.sparkmla.text.jinja;

import java.util.List;

/** One iteration of a loop as its body sees it: the variable {@code loop}. */
final class Loop {
  private final List<Object> items;
  private final int index;
  private final int depth;
  private final Changes changes;

  /** The arguments of the last call of {@code loop.changed} in any iteration. */
  private static final class Changes {
    private List<Object> last;
  }

  private Loop(List<Object> items, int index, int depth, Changes changes) {
    this.items = items;
    this.index = index;
    this.depth = depth;
    this.changes = changes;
  }

  /**
   * The first iteration of a loop.
   *
   * @param outer the variable {@code loop} around this loop
   */
  static Loop first(List<Object> items, Object outer) {
    int depth = outer instanceof Loop loop ? loop.depth + 1 : 0;
    return new Loop(items, 0, depth, new Changes());
  }

  Loop next() {
    return new Loop(items, index + 1, depth, changes);
  }

  Object get(String name) {
    int size = items.size();
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) size - index;
      case "revindex0" -> size - index - 1L;
      case "first" -> index == 0;
      case "last" -> index == size - 1;
      case "length" -> (long) size;
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined(name);
      case "nextitem" -> index < size - 1 ? items.get(index + 1) : new Undefined(name);
      case "cycle" -> (Callable) this::cycle;
      case "changed" -> (Callable) this::changed;
      default -> new Undefined(name);
    };
  }

  private Object cycle(Arguments arguments) {
    List<Object> values = arguments.positions();
    if (values.isEmpty()) {
      throw TemplateException.fault("loop.cycle needs values");
    }
    return values.get(index % values.size());
  }

  private Object changed(Arguments arguments) {
    List<Object> now = arguments.positions();
    boolean changed =
        changes.last == null || !Operators.equal(changes.last, now, arguments.budget());
    changes.last = now;
    return changed;
  }
}
