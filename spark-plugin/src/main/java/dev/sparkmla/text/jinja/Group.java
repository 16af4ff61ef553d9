package dev.sparkmla.text.jinja;

import java.util.Arrays;
import java.util.List;

/** A group that the filter groupby makes: a pair of the items' common value and the items. */
final class Group extends Tuple {
  Group(Object grouper, List<Object> items) {
    super(Arrays.asList(grouper, items));
  }

  /** The common value as {@code grouper}, or the items as {@code list}. */
  Object get(String name) {
    return switch (name) {
      case "grouper" -> get(0);
      case "list" -> get(1);
      default -> new Undefined(name);
    };
  }
}
