package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What Python's operators do with values (see {@link Template}). */
final class Values {
  private static final int LONGEST_REPETITION = 1 << 20;

  private Values() {}

  static Object integer(String digits) {
    try {
      return Long.valueOf(digits);
    } catch (NumberFormatException e) {
      throw TemplateException.fault(digits + " is too large");
    }
  }

  static boolean truth(Object value) {
    if (value == null || value instanceof Undefined) {
      return false;
    } else if (value instanceof Boolean truth) {
      return truth;
    } else if (value instanceof Number number) {
      return number.doubleValue() != 0;
    } else if (value instanceof String text) {
      return !text.isEmpty();
    } else if (value instanceof List<?> list) {
      return !list.isEmpty();
    } else if (value instanceof Map<?, ?> map) {
      return !map.isEmpty();
    }
    return true;
  }

  /** Python's str(). */
  static String text(Object value) {
    return value instanceof String text ? text : value instanceof Undefined ? "" : repr(value);
  }

  private static String repr(Object value) {
    if (value == null) {
      return "None";
    } else if (value instanceof Boolean truth) {
      return truth ? "True" : "False";
    } else if (value instanceof Double number
        && number == Math.rint(number)
        && Math.abs(number) < 1e16) {
      return number.longValue() + ".0";
    } else if (value instanceof String text) {
      return quoted(text);
    } else if (value instanceof List<?> list) {
      List<String> items = new ArrayList<>();
      list.forEach(item -> items.add(repr(item)));
      return "[" + String.join(", ", items) + "]";
    } else if (value instanceof Map<?, ?> map) {
      List<String> items = new ArrayList<>();
      map.forEach((key, item) -> items.add(repr(key) + ": " + repr(item)));
      return "{" + String.join(", ", items) + "}";
    } else if (value instanceof Number) {
      return value.toString();
    } else if (value instanceof Undefined) {
      return "Undefined";
    }
    throw TemplateException.fault("a function or namespace cannot be printed");
  }

  private static String quoted(String text) {
    String quote = text.contains("'") && !text.contains("\"") ? "\"" : "'";
    String escaped =
        text.replace("\\", "\\\\")
            .replace("\n", "\\n")
            .replace("\r", "\\r")
            .replace("\t", "\\t")
            .replace(quote, "\\" + quote);
    return quote + escaped + quote;
  }

  /** What a loop over the value meets: items, keys or characters. */
  static List<Object> items(Object value) {
    if (value instanceof List<?> list) {
      return new ArrayList<>(list);
    } else if (value instanceof Map<?, ?> map) {
      return new ArrayList<>(map.keySet());
    } else if (value instanceof String text) {
      List<Object> characters = new ArrayList<>();
      text.codePoints().forEach(point -> characters.add(Character.toString(point)));
      return characters;
    } else if (value instanceof Undefined) {
      return List.of();
    }
    throw TemplateException.fault(text(value) + " has no items");
  }

  static long length(Object value) {
    return value instanceof String text
        ? text.codePointCount(0, text.length())
        : items(value).size();
  }

  static boolean compare(String operator, Object left, Object right) {
    return switch (operator) {
      case "==" -> equal(left, right);
      case "!=" -> !equal(left, right);
      case "<" -> order(left, right) < 0;
      case ">" -> order(left, right) > 0;
      case "<=" -> order(left, right) <= 0;
      case ">=" -> order(left, right) >= 0;
      case "in" -> contains(right, left);
      case "not in" -> !contains(right, left);
      default -> throw new IllegalArgumentException(operator);
    };
  }

  static boolean equal(Object left, Object right) {
    if (left instanceof Undefined || right instanceof Undefined) {
      return left instanceof Undefined && right instanceof Undefined;
    }
    Object first = numeric(left);
    Object second = numeric(right);
    if (first instanceof Number a && second instanceof Number b) {
      return a.doubleValue() == b.doubleValue();
    } else if (first instanceof List<?> a && second instanceof List<?> b) {
      if (a.size() != b.size()) {
        return false;
      }
      for (int i = 0; i < a.size(); i++) {
        if (!equal(a.get(i), b.get(i))) {
          return false;
        }
      }
      return true;
    }
    return Objects.equals(first, second);
  }

  /** Truth values count as 0 and 1. */
  private static Object numeric(Object value) {
    return value instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : value;
  }

  static int order(Object left, Object right) {
    Object first = numeric(left);
    Object second = numeric(right);
    if (first instanceof Number a && second instanceof Number b) {
      return Double.compare(a.doubleValue(), b.doubleValue());
    } else if (first instanceof String a && second instanceof String b) {
      return a.compareTo(b);
    }
    throw unsuited("compared", left, right);
  }

  private static boolean contains(Object whole, Object part) {
    if (whole instanceof String text) {
      if (part instanceof String piece) {
        return text.contains(piece);
      }
      throw unsuited("searched", whole, part);
    } else if (whole instanceof Map<?, ?> map) {
      return map.containsKey(part);
    }
    return items(whole).stream().anyMatch(item -> equal(item, part));
  }

  static Object add(Object left, Object right) {
    if (left instanceof String a && right instanceof String b) {
      return a + b;
    } else if (left instanceof List<?> a && right instanceof List<?> b) {
      List<Object> both = new ArrayList<>(a);
      both.addAll(b);
      return both;
    }
    Object first = number(left, "added", right);
    Object second = number(right, "added", left);
    return first instanceof Long a && second instanceof Long b
        ? (Object) Math.addExact(a, b)
        : (Object) (asDouble(first) + asDouble(second));
  }

  static Object subtract(Object left, Object right) {
    Object first = number(left, "subtracted", right);
    Object second = number(right, "subtracted", left);
    return first instanceof Long a && second instanceof Long b
        ? (Object) Math.subtractExact(a, b)
        : (Object) (asDouble(first) - asDouble(second));
  }

  static Object multiply(Object left, Object right) {
    if (left instanceof String text && right instanceof Long times) {
      if (times > 0 && text.length() * times > LONGEST_REPETITION) {
        throw TemplateException.fault("a text is repeated " + times + " times");
      }
      return text.repeat((int) Math.max(0, times));
    }
    Object first = number(left, "multiplied", right);
    Object second = number(right, "multiplied", left);
    return first instanceof Long a && second instanceof Long b
        ? (Object) Math.multiplyExact(a, b)
        : (Object) (asDouble(first) * asDouble(second));
  }

  static Object divide(Object left, Object right) {
    return asDouble(number(left, "divided", right)) / divisor(left, right);
  }

  static Object floorDivide(Object left, Object right) {
    double divisor = divisor(left, right);
    return left instanceof Long a && right instanceof Long b
        ? (Object) Math.floorDiv(a, b)
        : (Object) Math.floor(asDouble(number(left, "divided", right)) / divisor);
  }

  static Object modulo(Object left, Object right) {
    double divisor = divisor(left, right);
    if (left instanceof Long a && right instanceof Long b) {
      return Math.floorMod(a, b);
    }
    double dividend = asDouble(number(left, "divided", right));
    return dividend - divisor * Math.floor(dividend / divisor);
  }

  private static double divisor(Object left, Object right) {
    double divisor = asDouble(number(right, "divided", left));
    if (divisor == 0) {
      throw TemplateException.fault("division by zero");
    }
    return divisor;
  }

  private static Object number(Object value, String verb, Object other) {
    Object number = numeric(value);
    if (number instanceof Number) {
      return number;
    }
    throw unsuited(verb, value, other);
  }

  private static double asDouble(Object number) {
    return ((Number) number).doubleValue();
  }

  private static TemplateException unsuited(String verb, Object left, Object right) {
    if (left instanceof Undefined undefined) {
      return undefined.failure();
    } else if (right instanceof Undefined undefined) {
      return undefined.failure();
    }
    return TemplateException.fault(text(left) + " and " + text(right) + " cannot be " + verb);
  }

  /** {@code owner.name}: a method of the owner's, else what it holds under the name. */
  static Object attribute(Object owner, String name) {
    if (owner instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (owner instanceof Namespace namespace) {
      return namespace.values().getOrDefault(name, new Undefined(name));
    }
    Callable method = Methods.find(owner, name);
    if (method != null) {
      return method;
    }
    return owner instanceof Map<?, ?> ? item(owner, name) : new Undefined(name);
  }

  /** {@code owner[key]}. */
  static Object item(Object owner, Object key) {
    if (owner instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (owner instanceof Namespace namespace) {
      return attribute(namespace, text(key));
    } else if (owner instanceof Map<?, ?> map) {
      return map.containsKey(key) ? map.get(key) : new Undefined(text(key));
    }
    if (key instanceof Long index && (owner instanceof List || owner instanceof String)) {
      List<Object> items = items(owner);
      long at = index < 0 ? index + items.size() : index;
      return at >= 0 && at < items.size() ? items.get((int) at) : new Undefined(text(key));
    }
    return key instanceof String name ? attribute(owner, name) : new Undefined(text(key));
  }

  /** {@code owner[begin:end:step]}; None stands for a bound that is not given. */
  static Object slice(Object owner, Object begin, Object end, Object step) {
    if (owner instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!(owner instanceof List) && !(owner instanceof String)) {
      throw TemplateException.fault(text(owner) + " cannot be sliced");
    }
    List<Object> items = items(owner);
    long by = step == null ? 1 : asLong(step);
    if (by == 0) {
      throw TemplateException.fault("a slice's step is 0");
    }
    int size = items.size();
    long from = bound(begin, by > 0 ? 0 : size - 1, size, by);
    long to = bound(end, by > 0 ? size : -1, size, by);
    List<Object> chosen = new ArrayList<>();
    for (long at = from; by > 0 ? at < to : at > to; at += by) {
      chosen.add(items.get((int) at));
    }
    if (owner instanceof String) {
      StringBuilder text = new StringBuilder();
      chosen.forEach(text::append);
      return text.toString();
    }
    return chosen;
  }

  private static long bound(Object value, long absent, int size, long step) {
    if (value == null) {
      return absent;
    }
    long index = asLong(value);
    index = index < 0 ? index + size : index;
    return step > 0 ? Math.min(Math.max(index, 0), size) : Math.min(Math.max(index, -1), size - 1);
  }

  static long asLong(Object value) {
    if (numeric(value) instanceof Long number) {
      return number;
    }
    throw TemplateException.fault(text(value) + " is no integer");
  }
}
