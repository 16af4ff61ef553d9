package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The filters of Jinja2 that chat templates use. */
final class Filters {
  /** A filter: a value and arguments to another value. */
  @FunctionalInterface
  interface Filter {
    Object apply(Object value, List<Object> given, Map<String, Object> named);
  }

  static final Map<String, Filter> ALL = all();

  private Filters() {}

  private static Map<String, Filter> all() {
    Map<String, Filter> all = new HashMap<>();
    all.put("trim", (value, given, named) -> Methods.strip(Values.text(value), given, true, true));
    all.put("upper", (value, given, named) -> Values.text(value).toUpperCase(Locale.ROOT));
    all.put("lower", (value, given, named) -> Values.text(value).toLowerCase(Locale.ROOT));
    all.put("title", (value, given, named) -> Methods.titled(Values.text(value)));
    all.put("capitalize", (value, given, named) -> Methods.capitalized(Values.text(value)));
    all.put("string", (value, given, named) -> Values.text(value));
    all.put("safe", (value, given, named) -> Values.text(value));
    all.put("length", (value, given, named) -> Values.length(value));
    all.put("count", (value, given, named) -> Values.length(value));
    all.put("default", Filters::orDefault);
    all.put("d", Filters::orDefault);
    all.put("list", (value, given, named) -> Values.items(value));
    all.put("first", (value, given, named) -> at(value, true));
    all.put("last", (value, given, named) -> at(value, false));
    all.put("reverse", (value, given, named) -> Values.slice(value, null, null, -1L));
    all.put("items", (value, given, named) -> pairs(value));
    all.put("join", Filters::join);
    all.put("replace", Filters::replace);
    all.put("int", (value, given, named) -> integer(value));
    all.put("indent", Filters::indent);
    all.put("tojson", (value, given, named) -> Json.write(value, named));
    all.put("map", Filters::map);
    all.put("select", (value, given, named) -> select(value, given, true));
    all.put("reject", (value, given, named) -> select(value, given, false));
    all.put("selectattr", (value, given, named) -> selectAttribute(value, given, true));
    all.put("rejectattr", (value, given, named) -> selectAttribute(value, given, false));
    return Collections.unmodifiableMap(all);
  }

  private static Object argument(
      List<Object> given, int index, Map<String, Object> named, String name, Object absent) {
    return index < given.size() ? given.get(index) : named.getOrDefault(name, absent);
  }

  private static Object orDefault(Object value, List<Object> given, Map<String, Object> named) {
    boolean anyFalse = Values.truth(argument(given, 1, named, "boolean", false));
    boolean missing = value instanceof Undefined || (anyFalse && !Values.truth(value));
    return missing ? argument(given, 0, named, "default_value", "") : value;
  }

  private static Object at(Object value, boolean first) {
    List<Object> items = Values.items(value);
    return items.isEmpty() ? new Undefined("item") : items.get(first ? 0 : items.size() - 1);
  }

  private static List<Object> pairs(Object value) {
    return value instanceof Map<?, ?> map ? Methods.pairs(map) : Values.items(value);
  }

  private static Object join(Object value, List<Object> given, Map<String, Object> named) {
    Object attribute = argument(given, 1, named, "attribute", null);
    Object items = attribute == null ? value : attributes(value, attribute);
    return Methods.join(Values.text(argument(given, 0, named, "d", "")), items);
  }

  private static Object replace(Object value, List<Object> given, Map<String, Object> named) {
    return Values.text(value)
        .replace(
            Values.text(argument(given, 0, named, "old", "")),
            Values.text(argument(given, 1, named, "new", "")));
  }

  private static Object integer(Object value) {
    if (value instanceof Number number) {
      return number.longValue();
    }
    try {
      return Long.valueOf(Values.text(value).strip());
    } catch (NumberFormatException e) {
      return 0L;
    }
  }

  private static Object indent(Object value, List<Object> given, Map<String, Object> named) {
    Object width = argument(given, 0, named, "width", 4L);
    String blanks = width instanceof String text ? text : " ".repeat((int) Values.asLong(width));
    boolean first = Values.truth(argument(given, 1, named, "first", false));
    StringBuilder text = new StringBuilder(first ? blanks : "");
    String[] lines = Values.text(value).split("\n", -1);
    for (int i = 0; i < lines.length; i++) {
      text.append(i == 0 ? "" : "\n").append(i == 0 || lines[i].isEmpty() ? "" : blanks);
      text.append(lines[i]);
    }
    return text.toString();
  }

  private static List<Object> attributes(Object value, Object name) {
    List<Object> attributes = new ArrayList<>();
    for (Object item : Values.items(value)) {
      attributes.add(attribute(item, name));
    }
    return attributes;
  }

  /** An item under a name, or under names with dots between them. */
  private static Object attribute(Object item, Object name) {
    Object value = item;
    for (String part : Values.text(name).split("\\.")) {
      value = Values.item(value, part.matches("\\d+") ? Values.integer(part) : part);
    }
    return value;
  }

  private static Object map(Object value, List<Object> given, Map<String, Object> named) {
    if (named.containsKey("attribute")) {
      List<Object> attributes = attributes(value, named.get("attribute"));
      attributes.replaceAll(
          item -> item instanceof Undefined ? named.getOrDefault("default", item) : item);
      return attributes;
    }
    String name = given.isEmpty() ? "" : Values.text(given.get(0));
    Filter filter = ALL.get(name);
    if (filter == null) {
      throw TemplateException.fault("there is no filter " + name);
    }
    List<Object> mapped = new ArrayList<>();
    for (Object item : Values.items(value)) {
      mapped.add(filter.apply(item, given.subList(1, given.size()), named));
    }
    return mapped;
  }

  private static Object select(Object value, List<Object> given, boolean wanted) {
    List<Object> selected = new ArrayList<>();
    for (Object item : Values.items(value)) {
      if (holds(item, given) == wanted) {
        selected.add(item);
      }
    }
    return selected;
  }

  private static Object selectAttribute(Object value, List<Object> given, boolean wanted) {
    List<Object> selected = new ArrayList<>();
    for (Object item : Values.items(value)) {
      if (holds(attribute(item, given.get(0)), given.subList(1, given.size())) == wanted) {
        selected.add(item);
      }
    }
    return selected;
  }

  /** A test by its name and arguments; the truth where none is named. */
  private static boolean holds(Object value, List<Object> test) {
    if (test.isEmpty()) {
      return Values.truth(value);
    }
    Tests.Test named = Tests.ALL.get(Values.text(test.get(0)));
    if (named == null) {
      throw TemplateException.fault("there is no test " + Values.text(test.get(0)));
    }
    return named.holds(value, Arrays.asList(test.subList(1, test.size()).toArray()));
  }
}
