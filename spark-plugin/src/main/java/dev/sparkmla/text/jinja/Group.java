package dev.sparkmla.text.jinja;

import java.util.Arrays;
import java.util.List;

/** What groupby makes: a pair of what its items have in common and the items. */
final class Group extends Tuple {
  Group(Object grouper, List<Object> items) {
    super(Arrays.asList(grouper, items));
  }

  /** A part by its name. */
  Object get(String name) {
    return switch (name) {
      case "grouper" -> get(0);
      case "list" -> get(1);
      default -> new Undefined(name);
    };
  }
}
