package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The filters that order items: sort, dictsort, unique, groupby, min and max. */
final class Sorting {
  private Sorting() {}

  /** Sorts items in Python's order. */
  static void sort(List<Object> items, Budget budget) {
    sort(items, UnaryOperator.identity(), false, budget);
  }

  /** Sorts by keys. The sort is stable, also in reverse order. */
  private static void sort(
      List<Object> items, UnaryOperator<Object> key, boolean reversed, Budget budget) {
    items.sort(
        (a, b) -> {
          budget.steps(1);
          int order = Operators.order(key.apply(a), key.apply(b), budget);
          return reversed ? -order : order;
        });
  }

  static Object sort(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "reverse", "case_sensitive", "attribute");
    List<Object> items = copy(value, bound.budget());
    sort(items, keys(bound), bound.flag(0, false), bound.budget());
    return items;
  }

  private static List<Object> copy(Object value, Budget budget) {
    List<Object> items = Values.items(value, budget);
    budget.makesItems(items.size());
    return new ArrayList<>(items);
  }

  /** The sort key of an item: the item, or its attributes in the order of their names. */
  private static UnaryOperator<Object> keys(Arguments bound) {
    Object names = bound.get(2, null);
    if (names == null) {
      return key(bound, 1, 2);
    }
    boolean exact = bound.flag(1, false);
    Object[] attributes = names instanceof String text ? text.split(",") : new Object[] {names};
    return item -> {
      List<Object> keys = new ArrayList<>();
      for (Object attribute : attributes) {
        keys.add(folded(ListFilters.attribute(item, attribute, bound.budget()), exact));
      }
      return keys;
    };
  }

  /** The key of an item: the item or its attribute; strings are lower-cased unless case matters. */
  private static UnaryOperator<Object> key(Arguments bound, int caseSensitive, int attribute) {
    boolean exact = bound.flag(caseSensitive, false);
    Object name = bound.get(attribute, null);
    return item ->
        folded(name == null ? item : ListFilters.attribute(item, name, bound.budget()), exact);
  }

  private static Object folded(Object value, boolean exact) {
    return !exact && value instanceof String text ? text.toLowerCase(Locale.ROOT) : value;
  }

  static Object dictsort(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "case_sensitive", "by", "reverse");
    if (!(value instanceof Map<?, ?> map)) {
      throw TemplateException.fault("dictsort needs a dictionary");
    }
    Object by = bound.get(1, "key");
    if (!"key".equals(by) && !"value".equals(by)) {
      throw TemplateException.fault("dictsort sorts by 'key' or 'value'");
    }
    boolean exact = bound.flag(0, false);
    int part = by.equals("key") ? 0 : 1;
    List<Object> pairs = Methods.pairs(map, bound.budget());
    sort(
        pairs,
        pair -> folded(((Tuple) pair).get(part), exact),
        bound.flag(2, false),
        bound.budget());
    return pairs;
  }

  static Object unique(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "case_sensitive", "attribute");
    UnaryOperator<Object> key = key(bound, 0, 1);
    Map<Object, Object> first = new LinkedHashMap<>();
    for (Object item : Values.items(value, bound.budget())) {
      bound.budget().makesItems(1);
      first.putIfAbsent(Values.key(key.apply(item), bound.budget()), item);
    }
    return new ArrayList<>(first.values());
  }

  static Object groupby(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(1, "attribute", "default", "case_sensitive");
    Budget budget = bound.budget();
    boolean exact = bound.flag(2, false);
    UnaryOperator<Object> own =
        item -> {
          Object found = ListFilters.attribute(item, bound.get(0), budget);
          return found instanceof Undefined ? bound.get(1, found) : found;
        };
    List<Object> items = copy(value, budget);
    sort(items, item -> folded(own.apply(item), exact), false, budget);
    List<Object> groups = new ArrayList<>();
    List<Object> group = null;
    Object common = null;
    for (Object item : items) {
      Object key = folded(own.apply(item), exact);
      if (group == null || !Operators.equal(common, key, budget)) {
        group = new ArrayList<>();
        groups.add(new Group(own.apply(item), group));
        common = key;
      }
      group.add(item);
    }
    return groups;
  }

  /** The least or the greatest item; of several equal ones the first. */
  static Object extreme(Object value, Arguments arguments, boolean greatest) {
    Arguments bound = arguments.bind(0, "case_sensitive", "attribute");
    UnaryOperator<Object> key = key(bound, 0, 1);
    Object found = new Undefined("item");
    boolean first = true;
    for (Object item : Values.items(value, bound.budget())) {
      bound.budget().steps(1);
      if (first || isBeyond(key.apply(item), key.apply(found), greatest, bound.budget())) {
        found = item;
      }
      first = false;
    }
    return found;
  }

  private static boolean isBeyond(Object item, Object found, boolean greatest, Budget budget) {
    int order = Operators.order(item, found, budget);
    return greatest ? order > 0 : order < 0;
  }
}
