package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Python's operations on values of any type (see {@link Template}). */
final class Values {
  private Values() {}

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
  static String text(Object value, Budget budget) {
    if (value instanceof String text) {
      return text;
    }
    return value instanceof Undefined ? "" : Repr.of(value, budget);
  }

  /**
   * The items over which a loop iterates: those of a list, the keys of a dictionary or the
   * characters of a string. Not to be changed.
   */
  @SuppressWarnings("unchecked")
  static List<Object> items(Object value, Budget budget) {
    if (value instanceof List<?> list) {
      return (List<Object>) list;
    } else if (value instanceof Map<?, ?> map) {
      budget.makesItems(map.size());
      return new ArrayList<>(map.keySet());
    } else if (value instanceof String text) {
      budget.makesItems(text.length());
      List<Object> characters = new ArrayList<>(text.length());
      text.codePoints().forEach(point -> characters.add(Character.toString(point)));
      return characters;
    } else if (value instanceof Undefined) {
      return List.of();
    }
    throw TemplateException.fault(text(value, budget) + " has no items");
  }

  static long length(Object value, Budget budget) {
    if (value instanceof String text) {
      budget.reads(text.length());
      return text.codePointCount(0, text.length());
    }
    return value instanceof Map<?, ?> map ? map.size() : items(value, budget).size();
  }

  /** {@code owner.name}: the owner's method of that name, else its item of that key. */
  static Object attribute(Object owner, String name) {
    Object member = member(owner, name);
    if (member instanceof Undefined && owner instanceof Map<?, ?> map && map.containsKey(name)) {
      return map.get(name);
    }
    return member;
  }

  /** {@code owner[key]}: the owner's item of that key, else its method of that name. */
  static Object item(Object owner, Object key, Budget budget) {
    if (owner instanceof Map<?, ?> map && isKey(key) && map.containsKey(key)) {
      return map.get(key);
    }
    if (key instanceof Long index && owner instanceof List<?> list) {
      long at = index < 0 ? index + list.size() : index;
      return at >= 0 && at < list.size() ? list.get((int) at) : new Undefined(index.toString());
    }
    if (key instanceof Long index && owner instanceof String text) {
      return character(text, index, budget);
    }
    return member(owner, text(key, budget));
  }

  private static Object member(Object owner, String name) {
    if (owner instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (owner instanceof Namespace namespace) {
      return namespace.get(name);
    } else if (owner instanceof Loop loop) {
      return loop.get(name);
    } else if (owner instanceof Group group) {
      return group.get(name);
    }
    Callable method = Methods.find(owner, name);
    return method == null ? new Undefined(name) : method;
  }

  private static Object character(String text, long index, Budget budget) {
    budget.reads(text.length());
    long size = text.codePointCount(0, text.length());
    long at = index < 0 ? index + size : index;
    if (at < 0 || at >= size) {
      return new Undefined(Long.toString(index));
    }
    return Character.toString(text.codePointAt(text.offsetByCodePoints(0, (int) at)));
  }

  private static boolean isKey(Object value) {
    return value == null
        || value instanceof String
        || value instanceof Number
        || value instanceof Boolean;
  }

  /** Returns a value that may be a key of a dictionary; others are errors. */
  static Object key(Object value, Budget budget) {
    if (isKey(value)) {
      return value;
    }
    throw TemplateException.fault(
        (value instanceof Undefined ? "an undefined value" : text(value, budget))
            + " cannot be a key of a dictionary");
  }

  /** {@code owner[begin:end:step]}; null stands for a bound that is not given. */
  static Object slice(Object owner, Object begin, Object end, Object step, Budget budget) {
    if (owner instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!(owner instanceof List) && !(owner instanceof String)) {
      return new Undefined("slice");
    }
    long by = step == null ? 1 : asLong(step, budget);
    if (by == 0) {
      throw TemplateException.fault("a slice's step is 0");
    }
    int size = (int) length(owner, budget);
    long from = bound(begin, by > 0 ? 0 : size - 1, size, by, budget);
    long to = bound(end, by > 0 ? size : -1, size, by, budget);
    if (owner instanceof String text && by == 1) {
      return from >= to
          ? ""
          : text.substring(
              text.offsetByCodePoints(0, (int) from), text.offsetByCodePoints(0, (int) to));
    }
    List<Object> items = items(owner, budget);
    List<Object> chosen = new ArrayList<>();
    // A step beyond the size ends the loop as the size itself does, and cannot overflow.
    long stride = Math.max(-size - 1L, Math.min(by, size + 1L));
    for (long at = from; by > 0 ? at < to : at > to; at += stride) {
      chosen.add(items.get((int) at));
    }
    if (owner instanceof String) {
      StringBuilder text = new StringBuilder();
      chosen.forEach(text::append);
      return text.toString();
    }
    budget.makesItems(chosen.size());
    return owner instanceof Tuple ? new Tuple(chosen) : chosen;
  }

  private static long bound(Object value, long absent, int size, long step, Budget budget) {
    if (value == null) {
      return absent;
    }
    long index = asLong(value, budget);
    index = index < 0 ? index + size : index;
    return step > 0 ? Math.min(Math.max(index, 0), size) : Math.min(Math.max(index, -1), size - 1);
  }

  static long asLong(Object value, Budget budget) {
    if (value instanceof Boolean truth) {
      return truth ? 1 : 0;
    } else if (value instanceof Long number) {
      return number;
    }
    throw value instanceof Undefined undefined
        ? undefined.failure()
        : TemplateException.fault(text(value, budget) + " is no integer");
  }
}
