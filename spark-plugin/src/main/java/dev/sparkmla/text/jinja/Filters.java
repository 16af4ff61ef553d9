package dev.sparkmla.text.jinja;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The filters of Jinja2 that chat templates use. */
final class Filters {
  /** A filter: makes a value from a value and arguments. */
  @FunctionalInterface
  private interface Filter {
    Object apply(Object value, Arguments arguments);
  }

  /** A filter of strings without parameters. */
  @FunctionalInterface
  private interface TextFilter {
    Object apply(String text);
  }

  private static final Map<String, Filter> ALL = all();

  private Filters() {}

  /**
   * Applies the filter of a name to a value.
   *
   * @throws TemplateException when there is no such filter, or it fails
   */
  static Object apply(String name, Object value, Arguments arguments) {
    Filter filter = ALL.get(name);
    if (filter == null) {
      throw TemplateException.fault("there is no filter " + name);
    }
    Budget budget = arguments.budget();
    if (value instanceof String text) {
      budget.reads(text.length());
    }
    Object result = filter.apply(value, arguments);
    if (result instanceof String text && text != value) {
      budget.makes(text.length());
    }
    return result;
  }

  static boolean has(String name) {
    return ALL.containsKey(name);
  }

  private static Map<String, Filter> all() {
    Map<String, Filter> all = new HashMap<>();
    addTexts(all);
    addNumbers(all);
    addLists(all);
    all.put("default", Filters::orDefault);
    all.put("d", Filters::orDefault);
    all.put("attr", Filters::attribute);
    all.put("tojson", Json::write);
    for (String name : List.of("from_json", "fromjson")) {
      all.put(name, (value, a) -> Json.read(Values.text(value, a.budget()), a.bind(0).budget()));
    }
    return Collections.unmodifiableMap(all);
  }

  private static void addTexts(Map<String, Filter> all) {
    text("upper", text -> text.toUpperCase(Locale.ROOT), all);
    text("lower", text -> text.toLowerCase(Locale.ROOT), all);
    text("title", TextFilters::title, all);
    text("capitalize", TextMethods::capitalized, all);
    text("string", text -> text, all);
    text("safe", text -> text, all);
    text("wordcount", TextFilters::wordcount, all);
    for (String name : List.of("e", "escape", "forceescape")) {
      all.put(name, (value, a) -> TextFilters.escape(Values.text(value, a.budget()), a.budget()));
    }
    all.put(
        "trim",
        (value, a) ->
            TextMethods.strip(Values.text(value, a.budget()), a.bind(0, "chars"), true, true));
    all.put("replace", TextFilters::replace);
    all.put("indent", TextFilters::indent);
    all.put("format", TextFilters::format);
    all.put("center", (value, a) -> TextFilters.center(Values.text(value, a.budget()), a));
  }

  private static void text(String name, TextFilter filter, Map<String, Filter> all) {
    all.put(name, (value, a) -> filter.apply(Values.text(value, a.bind(0).budget())));
  }

  private static void addNumbers(Map<String, Filter> all) {
    all.put("int", TextFilters::integer);
    all.put("float", TextFilters::floating);
    all.put("round", TextFilters::round);
    all.put("abs", (value, a) -> TextFilters.absolute(value, a.bind(0).budget()));
  }

  private static void addLists(Map<String, Filter> all) {
    all.put("length", (value, a) -> Values.length(value, a.bind(0).budget()));
    all.put("count", (value, a) -> Values.length(value, a.bind(0).budget()));
    all.put("list", (value, a) -> Values.items(value, a.bind(0).budget()));
    all.put("first", (value, a) -> ListFilters.first(value, a.bind(0).budget()));
    all.put("last", (value, a) -> ListFilters.last(value, a.bind(0).budget()));
    all.put("reverse", (value, a) -> reversed(value, a.bind(0).budget()));
    all.put("items", (value, a) -> items(value, a.bind(0).budget()));
    all.put("join", ListFilters::join);
    all.put("map", ListFilters::map);
    all.put("select", (value, a) -> ListFilters.select(value, a, true));
    all.put("reject", (value, a) -> ListFilters.select(value, a, false));
    all.put("selectattr", (value, a) -> ListFilters.selectAttribute(value, a, true));
    all.put("rejectattr", (value, a) -> ListFilters.selectAttribute(value, a, false));
    all.put("sum", ListFilters::sum);
    all.put("batch", ListFilters::batch);
    all.put("sort", Sorting::sort);
    all.put("dictsort", Sorting::dictsort);
    all.put("unique", Sorting::unique);
    all.put("groupby", Sorting::groupby);
    all.put("min", (value, a) -> Sorting.extreme(value, a, false));
    all.put("max", (value, a) -> Sorting.extreme(value, a, true));
  }

  private static Object orDefault(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "default_value", "boolean");
    boolean missing = value instanceof Undefined || (bound.flag(1, false) && !Values.truth(value));
    return missing ? bound.get(0, "") : value;
  }

  private static Object attribute(Object value, Arguments arguments) {
    return Values.attribute(value, arguments.bind(1, "name").text(0));
  }

  private static Object reversed(Object value, Budget budget) {
    return Values.slice(
        value instanceof Map ? Values.items(value, budget) : value, null, null, -1L, budget);
  }

  private static List<Object> items(Object value, Budget budget) {
    if (value instanceof Map<?, ?> map) {
      return Methods.pairs(map, budget);
    } else if (value instanceof Undefined) {
      return List.of();
    }
    throw TemplateException.fault("items needs a dictionary");
  }
}
