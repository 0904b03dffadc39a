/* Side facts as sidefacts.py writes them: the mark, then kind, more, length, thread and time, then the body. */
#ifndef FP_FACTS_H
#define FP_FACTS_H

enum { FP_FACT_MAGIC = 0x59505446, FP_FACT_PATH = 3, FP_FACT_CAUGHT_UP = 5 };
enum { FP_FACT_HEAD = 16, FP_FACT_MOST_BODY = 1000 }; /* bytes: from the kind to the body; of the body of one piece */

#endif
