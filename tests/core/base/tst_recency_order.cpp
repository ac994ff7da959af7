// SPDX-License-Identifier: GPL-3.0-or-later
// Recency by sums over places against a list in which the touched object moves to the front.
#include "core/base/error.h"
#include "core/base/recency_order.h"

#include <QTest>

#include <algorithm>
#include <list>
#include <random>

using namespace tamis;

class TstRecencyOrder : public QObject {
    Q_OBJECT
private slots:
    void distancesAreThoseOfAList_data()
    {
        QTest::addColumn<int>("objects");
        QTest::newRow("one object") << 1;
        QTest::newRow("few: places are packed every thousand touches") << 7;
        QTest::newRow("as many as places would be fewest") << 400;
    }
    void distancesAreThoseOfAList()
    {
        QFETCH(const int, objects);
        RecencyOrder order(static_cast<std::size_t>(objects));
        std::list<std::uint32_t> list;
        std::mt19937 random(5);
        for (int i = 0; i < 6000; ++i) {
            // a skewed draw, so that near and far distances come
            const std::uint32_t object = static_cast<std::uint32_t>(std::min(random() % static_cast<std::uint32_t>(objects), random() % static_cast<std::uint32_t>(objects)));
            const auto found = std::ranges::find(list, object);
            const std::int64_t expected = found == list.end() ? RecencyOrder::kNever : std::distance(list.begin(), found);
            if (found != list.end())
                list.erase(found);
            list.push_front(object);
            QCOMPARE(order.touch(object), expected);
        }
    }
    void tooManyObjectsAreRefused()
    {
        try {
            RecencyOrder order(std::size_t{1} << 30U);
            QFAIL("taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::LimitExceeded);
        }
    }
};

QTEST_APPLESS_MAIN(TstRecencyOrder)
#include "tst_recency_order.moc"
