package dev.sparkmla.text.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Values as JSON, written as Python's json.dumps writes it with ensure_ascii off. */
final class Json {
  private final StringBuilder text = new StringBuilder();
  private final int indent;
  private final boolean ascii;

  private Json(int indent, boolean ascii) {
    this.indent = indent;
    this.ascii = ascii;
  }

  /**
   * Writes a value.
   *
   * @param options {@code indent} and {@code ensure_ascii}; another is refused
   */
  static String write(Object value, Map<String, Object> options) {
    for (String option : options.keySet()) {
      if (!option.equals("indent") && !option.equals("ensure_ascii")) {
        throw TemplateException.fault("tojson takes no " + option);
      }
    }
    Object indent = options.get("indent");
    Json json =
        new Json(
            indent == null ? -1 : (int) Values.asLong(indent),
            Values.truth(options.get("ensure_ascii")));
    json.write(value, 0);
    return json.text.toString();
  }

  private void write(Object value, int depth) {
    if (value instanceof String string) {
      writeString(string);
    } else if (value instanceof Map<?, ?> map) {
      writeMap(map, depth);
    } else if (value instanceof List<?> list) {
      writeList(list, depth);
    } else if (value == null) {
      text.append("null");
    } else if (value instanceof Boolean) {
      text.append(value);
    } else if (value instanceof Number) {
      text.append(Values.text(value));
    } else {
      throw value instanceof Undefined undefined
          ? undefined.failure()
          : TemplateException.fault("tojson cannot write a function or namespace");
    }
  }

  private void writeMap(Map<?, ?> map, int depth) {
    text.append('{');
    Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
    while (entries.hasNext()) {
      Map.Entry<?, ?> entry = entries.next();
      breakLine(depth + 1);
      writeString(Values.text(entry.getKey()));
      text.append(": ");
      write(entry.getValue(), depth + 1);
      separate(entries.hasNext(), depth);
    }
    text.append('}');
  }

  private void writeList(List<?> list, int depth) {
    text.append('[');
    for (Iterator<?> items = list.iterator(); items.hasNext(); ) {
      breakLine(depth + 1);
      write(items.next(), depth + 1);
      separate(items.hasNext(), depth);
    }
    text.append(']');
  }

  private void separate(boolean more, int depth) {
    if (more) {
      text.append(indent < 0 ? ", " : ",");
    } else {
      breakLine(depth);
    }
  }

  private void breakLine(int depth) {
    if (indent >= 0) {
      text.append('\n').append(" ".repeat(indent * depth));
    }
  }

  private void writeString(String string) {
    text.append('"');
    for (char letter : string.toCharArray()) {
      switch (letter) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '\b' -> text.append("\\b");
        case '\f' -> text.append("\\f");
        default -> {
          if (letter < 0x20 || (ascii && letter > 0x7E)) {
            text.append(String.format("\\u%04x", (int) letter));
          } else {
            text.append(letter);
          }
        }
      }
    }
    text.append('"');
  }
}
