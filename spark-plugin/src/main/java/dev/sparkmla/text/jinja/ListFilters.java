package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** The filters of lists that keep their items' order. */
final class ListFilters {
  private ListFilters() {}

  static Object first(Object value, Budget budget) {
    List<Object> items = Values.items(value, budget);
    return items.isEmpty() ? new Undefined("item") : items.get(0);
  }

  static Object last(Object value, Budget budget) {
    List<Object> items = Values.items(value, budget);
    return items.isEmpty() ? new Undefined("item") : items.get(items.size() - 1);
  }

  static Object join(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "d", "attribute");
    Object items = bound.get(1, null) == null ? value : attributes(value, bound.get(1), bound);
    return TextMethods.join(Values.text(bound.get(0, ""), bound.budget()), items, bound.budget());
  }

  private static List<Object> attributes(Object value, Object name, Arguments bound) {
    List<Object> attributes = new ArrayList<>();
    for (Object item : Values.items(value, bound.budget())) {
      bound.budget().makesItems(1);
      attributes.add(attribute(item, name, bound.budget()));
    }
    return attributes;
  }

  /** The attribute of an item by its name, or by several names with dots between them. */
  static Object attribute(Object item, Object name, Budget budget) {
    if (name instanceof Long index) {
      return Values.item(item, index, budget);
    }
    Object value = item;
    for (String part : Values.text(name, budget).split("\\.")) {
      budget.steps(1);
      boolean index = part.length() < 10 && part.matches("\\d+");
      value = Values.item(value, index ? (Object) Long.valueOf(part) : part, budget);
    }
    return value;
  }

  /** The items of a value. None and other false values have none, as in Jinja2's lazy filters. */
  private static List<Object> itemsOfTrue(Object value, Budget budget) {
    return Values.truth(value) ? Values.items(value, budget) : List.of();
  }

  static Object map(Object value, Arguments arguments) {
    Budget budget = arguments.budget();
    List<Object> mapped = new ArrayList<>();
    if (arguments.positions().isEmpty()) {
      Arguments named = arguments.bind(0, "attribute", "default");
      if (!named.isGiven(0)) {
        throw TemplateException.fault("map needs a filter or an attribute");
      }
      mapped.addAll(attributes(itemsOfTrue(value, budget), named.get(0), named));
      mapped.replaceAll(item -> item instanceof Undefined ? named.get(1, item) : item);
      return mapped;
    }
    String name = Values.text(arguments.positions().get(0), budget);
    for (Object item : itemsOfTrue(value, budget)) {
      budget.steps(1);
      budget.makesItems(1);
      mapped.add(Filters.apply(name, item, arguments.without(1)));
    }
    return mapped;
  }

  /**
   * Selects the items for which a test, given by its name and arguments, has the wanted result;
   * without a test, the items that are true.
   */
  static Object select(Object value, Arguments arguments, boolean wanted) {
    Budget budget = arguments.budget();
    List<Object> selected = new ArrayList<>();
    for (Object item : itemsOfTrue(value, budget)) {
      budget.steps(1);
      if (holds(item, arguments) == wanted) {
        budget.makesItems(1);
        selected.add(item);
      }
    }
    return selected;
  }

  static Object selectAttribute(Object value, Arguments arguments, boolean wanted) {
    Budget budget = arguments.budget();
    if (arguments.positions().isEmpty()) {
      throw TemplateException.fault("selectattr and rejectattr need an attribute");
    }
    Object name = arguments.positions().get(0);
    List<Object> selected = new ArrayList<>();
    for (Object item : itemsOfTrue(value, budget)) {
      budget.steps(1);
      if (holds(attribute(item, name, budget), arguments.without(1)) == wanted) {
        budget.makesItems(1);
        selected.add(item);
      }
    }
    return selected;
  }

  private static boolean holds(Object value, Arguments test) {
    return test.positions().isEmpty()
        ? Values.truth(value)
        : Tests.holds(Values.text(test.positions().get(0), test.budget()), value, test.without(1));
  }

  static Object sum(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "attribute", "start");
    Object items = bound.get(0, null) == null ? value : attributes(value, bound.get(0), bound);
    Object sum = bound.get(1, 0L);
    for (Object item : Values.items(items, bound.budget())) {
      sum = Operators.add(sum, item, bound.budget());
    }
    return sum;
  }

  /**
   * Splits items into lists of a given length. The last one is filled up if a value for that is
   * given.
   */
  static Object batch(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(1, "linecount", "fill_with");
    long size = bound.integer(0, 0);
    if (size < 1) {
      throw TemplateException.fault("batch needs a positive size");
    }
    List<Object> batches = new ArrayList<>();
    List<Object> batch = new ArrayList<>();
    for (Object item : Values.items(value, bound.budget())) {
      bound.budget().makesItems(1);
      if (batch.size() == size) {
        batches.add(batch);
        batch = new ArrayList<>();
      }
      batch.add(item);
    }
    if (!batch.isEmpty()) {
      if (bound.get(1, null) != null) {
        bound.budget().makesItems(size);
        while (batch.size() < size) {
          batch.add(bound.get(1));
        }
      }
      batches.add(batch);
    }
    return batches;
  }
}
