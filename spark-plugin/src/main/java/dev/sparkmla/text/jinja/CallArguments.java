package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The arguments of a call in a template as expressions, before they are evaluated. */
final class CallArguments {
  /** How an argument is written. */
  private enum Form {
    POSITION,
    NAME,
    /** {@code *list}, whose items are passed by position. */
    ITEMS,
    /** {@code **dictionary}, whose values are passed by name. */
    ENTRIES
  }

  private record Argument(Form form, String name, Expression value) {}

  private final List<Argument> arguments = new ArrayList<>();

  void add(Expression value) {
    arguments.add(new Argument(Form.POSITION, "", value));
  }

  void add(String name, Expression value) {
    arguments.add(new Argument(Form.NAME, name, value));
  }

  void addItems(Expression list) {
    arguments.add(new Argument(Form.ITEMS, "", list));
  }

  void addEntries(Expression dictionary) {
    arguments.add(new Argument(Form.ENTRIES, "", dictionary));
  }

  Arguments evaluate(Scope scope) {
    List<Object> positions = new ArrayList<>();
    Map<String, Object> names = new LinkedHashMap<>();
    for (Argument argument : arguments) {
      Object value = argument.value().value(scope);
      switch (argument.form()) {
        case POSITION -> positions.add(value);
        case NAME -> names.put(argument.name(), value);
        case ITEMS -> positions.addAll(Values.items(value, scope.budget()));
        case ENTRIES -> putAll(value, names, scope.budget());
      }
    }
    scope.budget().makesItems((long) positions.size() + names.size());
    return new Arguments(positions, names, scope.budget());
  }

  private static void putAll(Object value, Map<String, Object> names, Budget budget) {
    if (!(value instanceof Map<?, ?> map)) {
      throw TemplateException.fault("what follows ** is no dictionary");
    }
    map.forEach((key, item) -> names.put(Values.text(key, budget), item));
  }
}
