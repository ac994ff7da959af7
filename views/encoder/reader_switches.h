// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QStringList>
#include <QWidget>

#include <vector>

class QFormLayout;
class QLabel;

namespace tamis::views {

/// Something that an autoencoder's files leave open.
struct ReaderSwitch {
    enum class Kind {
        Choice, ///< as the file or its library says, yes, no
        Flag,   ///< no, yes
        Number  ///< above 0; as the file says where it is empty
    };
    QString name; ///< as on the command line
    QString title, help;
    Kind kind = Kind::Choice;
    QString value; ///< "yes", "no", a number; empty: as stated
    bool operator==(const ReaderSwitch&) const = default;
};

/// What the reader of an autoencoder's files had to assume, and the switches that change it. Hidden where files leave nothing open and nothing
/// was assumed.
class ReaderSwitches : public QWidget {
    Q_OBJECT
public:
    explicit ReaderSwitches(QWidget* parent = nullptr);
    void setSwitches(const std::vector<ReaderSwitch>& switches, const QStringList& notes); ///< without a signal

signals:
    void switched(const QString& name, const QString& value); ///< by the user; an empty value: as stated

private:
    QWidget* control(const ReaderSwitch& of);

    std::vector<ReaderSwitch> m_switches;
    QLabel *m_title, *m_notes;
    QFormLayout* m_rows;
};

} // namespace tamis::views
