package dev.sparkmla.text.jinja;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.json.JsonProblem;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes values as JSON, as Python's json.dumps does, and reads JSON as values. */
final class Json {
  private static final ObjectMapper READER =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final Output output;
  private final Budget budget;
  private final boolean ascii;
  private final String indent;
  private final String itemSeparator;
  private final String keySeparator;
  private final boolean sorted;

  private Json(Arguments bound) {
    this.budget = bound.budget();
    this.output = new Output(budget);
    this.ascii = bound.flag(0, false);
    this.indent = indentOf(bound.get(1, null), budget);
    Object separators = bound.get(2, null);
    if (separators == null) {
      this.itemSeparator = indent == null ? ", " : ",";
      this.keySeparator = ": ";
    } else if (separators instanceof List<?> pair
        && pair.size() == 2
        && pair.get(0) instanceof String item
        && pair.get(1) instanceof String key) {
      this.itemSeparator = item;
      this.keySeparator = key;
    } else {
      throw TemplateException.fault("tojson's separators are not two texts");
    }
    this.sorted = bound.flag(3, false);
  }

  private static String indentOf(Object indent, Budget budget) {
    if (indent == null || indent instanceof String) {
      return (String) indent;
    }
    return new Output(budget).repeat(" ", Values.asLong(indent, budget)).toString();
  }

  /** The filter tojson as the transformers library defines it, without escaping for HTML. */
  static String write(Object value, Arguments arguments) {
    Json json = new Json(arguments.bind(0, "ensure_ascii", "indent", "separators", "sort_keys"));
    json.write(value, 0);
    return json.output.toString();
  }

  private void write(Object value, int depth) {
    budget.enter();
    if (value instanceof String string) {
      writeString(string);
    } else if (value instanceof Map<?, ?> map) {
      writeMap(map, depth);
    } else if (value instanceof List<?> list) {
      writeList(list, depth);
    } else if (value == null) {
      output.append("null");
    } else if (value instanceof Boolean truth) {
      output.append(truth ? "true" : "false");
    } else if (value instanceof Double number) {
      output.append(number(number));
    } else if (value instanceof Number) {
      output.append(value.toString());
    } else {
      throw value instanceof Undefined undefined
          ? undefined.failure()
          : TemplateException.fault("tojson cannot write a function, loop or namespace");
    }
    budget.leave();
  }

  private static String number(double value) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    return Double.isInfinite(value) ? (value > 0 ? "Infinity" : "-Infinity") : Repr.number(value);
  }

  private void writeMap(Map<?, ?> map, int depth) {
    List<Object> keys = new ArrayList<>(map.keySet());
    if (sorted) {
      Sorting.sort(keys, budget);
    }
    output.append('{');
    for (Iterator<Object> left = keys.iterator(); left.hasNext(); ) {
      Object key = left.next();
      breakLine(depth + 1);
      writeString(keyText(key));
      output.append(keySeparator);
      write(map.get(key), depth + 1);
      separate(left.hasNext(), depth);
    }
    output.append('}');
  }

  private static String keyText(Object key) {
    if (key instanceof String text) {
      return text;
    } else if (key instanceof Double number) {
      return number(number);
    }
    return String.valueOf(key);
  }

  private void writeList(List<?> list, int depth) {
    output.append('[');
    for (Iterator<?> items = list.iterator(); items.hasNext(); ) {
      breakLine(depth + 1);
      write(items.next(), depth + 1);
      separate(items.hasNext(), depth);
    }
    output.append(']');
  }

  private void separate(boolean more, int depth) {
    if (more) {
      output.append(itemSeparator);
    } else {
      breakLine(depth);
    }
  }

  private void breakLine(int depth) {
    if (indent != null) {
      output.append('\n').repeat(indent, depth);
    }
  }

  private void writeString(String string) {
    output.append('"');
    for (int i = 0; i < string.length(); i++) {
      char letter = string.charAt(i);
      switch (letter) {
        case '"' -> output.append("\\\"");
        case '\\' -> output.append("\\\\");
        case '\n' -> output.append("\\n");
        case '\r' -> output.append("\\r");
        case '\t' -> output.append("\\t");
        case '\b' -> output.append("\\b");
        case '\f' -> output.append("\\f");
        default -> {
          if (letter < 0x20 || (ascii && letter > 0x7E)) {
            output.append(String.format("\\u%04x", (int) letter));
          } else {
            output.append(letter);
          }
        }
      }
    }
    output.append('"');
  }

  /**
   * Reads a JSON text as a value.
   *
   * @throws TemplateException when the text is not JSON or exceeds a limit
   */
  static Object read(String text, Budget budget) {
    budget.reads(text.length());
    try {
      return value(READER.readTree(text), budget);
    } catch (JsonProcessingException e) {
      throw TemplateException.fault("a text is not JSON: " + JsonProblem.of(e));
    }
  }

  private static Object value(JsonNode node, Budget budget) {
    budget.enter();
    Object value;
    if (node.isTextual()) {
      value = node.textValue();
    } else if (node.isIntegralNumber()) {
      if (!node.canConvertToLong()) {
        throw TemplateException.fault("an integer grows beyond 64 bits");
      }
      value = node.longValue();
    } else if (node.isNumber()) {
      value = node.doubleValue();
    } else if (node.isBoolean()) {
      value = node.booleanValue();
    } else if (node.isArray()) {
      budget.makesItems(node.size());
      List<Object> items = new ArrayList<>();
      node.forEach(item -> items.add(value(item, budget)));
      value = items;
    } else if (node.isObject()) {
      budget.makesItems(2L * node.size());
      Map<Object, Object> items = new LinkedHashMap<>();
      node.fields().forEachRemaining(f -> items.put(f.getKey(), value(f.getValue(), budget)));
      value = items;
    } else if (node.isNull()) {
      value = null;
    } else {
      throw TemplateException.fault("an empty text is not JSON");
    }
    budget.leave();
    return value;
  }
}
