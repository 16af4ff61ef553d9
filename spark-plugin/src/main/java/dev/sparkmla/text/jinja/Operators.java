package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Python's operators on values (see {@link Template}). */
final class Operators {
  /** An operator with two operands. */
  @FunctionalInterface
  interface Binary {
    Object apply(Object left, Object right, Budget budget);
  }

  private Operators() {}

  static boolean compare(String operator, Object left, Object right, Budget budget) {
    return switch (operator) {
      case "==" -> equal(left, right, budget);
      case "!=" -> !equal(left, right, budget);
      case "<" -> order(left, right, budget) < 0;
      case ">" -> order(left, right, budget) > 0;
      case "<=" -> order(left, right, budget) <= 0;
      case ">=" -> order(left, right, budget) >= 0;
      case "in" -> contains(right, left, budget);
      case "not in" -> !contains(right, left, budget);
      default -> throw new IllegalArgumentException(operator);
    };
  }

  static boolean equal(Object left, Object right, Budget budget) {
    Object first = numeric(left);
    Object second = numeric(right);
    if (first instanceof Number a && second instanceof Number b) {
      return a instanceof Long && b instanceof Long ? a.equals(b) : asDouble(a) == asDouble(b);
    } else if (first instanceof String a && second instanceof String b) {
      budget.reads(Math.min(a.length(), b.length()));
      return a.equals(b);
    } else if (first instanceof List<?> a && second instanceof List<?> b) {
      return first instanceof Tuple == second instanceof Tuple && equalLists(a, b, budget);
    } else if (first instanceof Map<?, ?> a && second instanceof Map<?, ?> b) {
      return equalMaps(a, b, budget);
    }
    return first == second || (left instanceof Undefined && right instanceof Undefined);
  }

  private static boolean equalLists(List<?> left, List<?> right, Budget budget) {
    if (left.size() != right.size()) {
      return false;
    }
    budget.enter();
    boolean equal = true;
    for (int i = 0; equal && i < left.size(); i++) {
      budget.steps(1);
      equal = equal(left.get(i), right.get(i), budget);
    }
    budget.leave();
    return equal;
  }

  private static boolean equalMaps(Map<?, ?> left, Map<?, ?> right, Budget budget) {
    if (left.size() != right.size()) {
      return false;
    }
    budget.enter();
    boolean equal = true;
    for (Map.Entry<?, ?> entry : left.entrySet()) {
      budget.steps(1);
      equal =
          equal
              && right.containsKey(entry.getKey())
              && equal(entry.getValue(), right.get(entry.getKey()), budget);
    }
    budget.leave();
    return equal;
  }

  /** Converts booleans to 0 and 1, as in Python. */
  private static Object numeric(Object value) {
    return value instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : value;
  }

  /** Compares two values: strings by code points, lists item by item. */
  static int order(Object left, Object right, Budget budget) {
    Object first = numeric(left);
    Object second = numeric(right);
    if (first instanceof Long a && second instanceof Long b) {
      return a.compareTo(b);
    } else if (first instanceof Number a && second instanceof Number b) {
      return Double.compare(asDouble(a), asDouble(b));
    } else if (first instanceof String a && second instanceof String b) {
      budget.reads(Math.min(a.length(), b.length()));
      return orderTexts(a, b);
    } else if (first instanceof List<?> a && second instanceof List<?> b) {
      return orderLists(a, b, budget);
    }
    throw unsuited("compared", left, right, budget);
  }

  private static int orderTexts(String left, String right) {
    int end = Math.min(left.length(), right.length());
    for (int at = 0; at < end; at++) {
      if (left.charAt(at) != right.charAt(at)) {
        return Integer.compare(left.codePointAt(at), right.codePointAt(at));
      }
    }
    return Integer.compare(left.length(), right.length());
  }

  private static int orderLists(List<?> left, List<?> right, Budget budget) {
    budget.enter();
    int order = Integer.compare(left.size(), right.size());
    for (int i = 0; i < Math.min(left.size(), right.size()); i++) {
      budget.steps(1);
      if (!equal(left.get(i), right.get(i), budget)) {
        order = order(left.get(i), right.get(i), budget);
        break;
      }
    }
    budget.leave();
    return order;
  }

  private static boolean contains(Object whole, Object part, Budget budget) {
    if (whole instanceof String text) {
      if (part instanceof String substring) {
        return Search.indexOf(text, substring, 0, budget) >= 0;
      }
      throw unsuited("searched", whole, part, budget);
    } else if (whole instanceof Map<?, ?> map) {
      return map.containsKey(Values.key(part, budget));
    }
    for (Object item : Values.items(whole, budget)) {
      budget.steps(1);
      if (equal(item, part, budget)) {
        return true;
      }
    }
    return false;
  }

  static Object concatenate(Object left, Object right, Budget budget) {
    return joined(Values.text(left, budget), Values.text(right, budget), budget);
  }

  private static String joined(String left, String right, Budget budget) {
    budget.makes((long) left.length() + right.length());
    return left.concat(right);
  }

  static Object add(Object left, Object right, Budget budget) {
    if (left instanceof String a && right instanceof String b) {
      return joined(a, b, budget);
    } else if (left instanceof List<?> a
        && right instanceof List<?> b
        && left instanceof Tuple == right instanceof Tuple) {
      budget.makesItems((long) a.size() + b.size());
      List<Object> both = new ArrayList<>(a.size() + b.size());
      both.addAll(a);
      both.addAll(b);
      return left instanceof Tuple ? new Tuple(both) : both;
    }
    Number first = number(left, "added", right, budget);
    Number second = number(right, "added", left, budget);
    return first instanceof Long a && second instanceof Long b
        ? exact(() -> Math.addExact(a, b))
        : (Object) (asDouble(first) + asDouble(second));
  }

  static Object subtract(Object left, Object right, Budget budget) {
    Number first = number(left, "subtracted", right, budget);
    Number second = number(right, "subtracted", left, budget);
    return first instanceof Long a && second instanceof Long b
        ? exact(() -> Math.subtractExact(a, b))
        : (Object) (asDouble(first) - asDouble(second));
  }

  static Object multiply(Object left, Object right, Budget budget) {
    if (numeric(right) instanceof Long times && isRepeatable(left)) {
      return repeated(left, times, budget);
    } else if (numeric(left) instanceof Long times && isRepeatable(right)) {
      return repeated(right, times, budget);
    }
    Number first = number(left, "multiplied", right, budget);
    Number second = number(right, "multiplied", left, budget);
    return first instanceof Long a && second instanceof Long b
        ? exact(() -> Math.multiplyExact(a, b))
        : (Object) (asDouble(first) * asDouble(second));
  }

  private static boolean isRepeatable(Object value) {
    return value instanceof String || value instanceof List;
  }

  private static Object repeated(Object value, long times, Budget budget) {
    if (value instanceof String text) {
      return new Output(budget).repeat(text, times).toString();
    }
    List<?> list = (List<?>) value;
    List<Object> repeated = new ArrayList<>();
    for (long i = 0; i < times && !list.isEmpty(); i++) {
      budget.makesItems(list.size());
      repeated.addAll(list);
    }
    return value instanceof Tuple ? new Tuple(repeated) : repeated;
  }

  static Object divide(Object left, Object right, Budget budget) {
    double divisor = divisor(left, right, budget);
    return asDouble(number(left, "divided", right, budget)) / divisor;
  }

  static Object floorDivide(Object left, Object right, Budget budget) {
    double divisor = divisor(left, right, budget);
    Number dividend = number(left, "divided", right, budget);
    return dividend instanceof Long a && numeric(right) instanceof Long b
        ? exact(() -> b == -1 ? Math.negateExact(a) : Math.floorDiv(a, b))
        : (Object) Math.floor(asDouble(dividend) / divisor);
  }

  static Object modulo(Object left, Object right, Budget budget) {
    if (left instanceof String format) {
      List<?> values = right instanceof Tuple tuple ? tuple : Collections.singletonList(right);
      return Formats.percent(format, values, right instanceof Map<?, ?> m ? m : Map.of(), budget);
    }
    double divisor = divisor(left, right, budget);
    Number dividend = number(left, "divided", right, budget);
    return dividend instanceof Long a && numeric(right) instanceof Long b
        ? (Object) Math.floorMod(a, b)
        : (Object) (asDouble(dividend) - divisor * Math.floor(asDouble(dividend) / divisor));
  }

  static Object power(Object left, Object right, Budget budget) {
    Number base = number(left, "raised", right, budget);
    Number exponent = number(right, "raised", left, budget);
    double power = Math.pow(asDouble(base), asDouble(exponent));
    if (base instanceof Long && exponent instanceof Long times && times >= 0) {
      if (Math.abs(power) >= 1L << 53) {
        throw TemplateException.fault("an integer grows beyond 53 bits");
      }
      return (long) power;
    }
    return power;
  }

  static Object negate(Object value, Budget budget) {
    return subtract(0L, value, budget);
  }

  private interface Exact {
    long value();
  }

  /**
   * Computes with 64-bit integers. Python's are unbounded, so an overflow is an error of the
   * template.
   */
  private static Object exact(Exact operation) {
    try {
      return operation.value();
    } catch (ArithmeticException e) {
      throw TemplateException.fault("an integer grows beyond 64 bits");
    }
  }

  private static double divisor(Object left, Object right, Budget budget) {
    double divisor = asDouble(number(right, "divided", left, budget));
    if (divisor == 0) {
      throw TemplateException.fault("division by zero");
    }
    return divisor;
  }

  private static Number number(Object value, String verb, Object other, Budget budget) {
    if (numeric(value) instanceof Number number) {
      return number;
    }
    throw unsuited(verb, value, other, budget);
  }

  private static double asDouble(Object number) {
    return ((Number) number).doubleValue();
  }

  private static TemplateException unsuited(String verb, Object left, Object right, Budget budget) {
    if (left instanceof Undefined undefined) {
      return undefined.failure();
    } else if (right instanceof Undefined undefined) {
      return undefined.failure();
    }
    return TemplateException.fault(
        shortened(left, budget) + " and " + shortened(right, budget) + " cannot be " + verb);
  }

  /** A value, shortened, for an error message. */
  private static String shortened(Object value, Budget budget) {
    String text = Values.text(value, budget);
    return text.length() > 80 ? text.substring(0, 80) + "..." : text;
  }
}
